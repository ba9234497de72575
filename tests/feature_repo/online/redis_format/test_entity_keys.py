"""Keys are the same bytes as in Feast's own serialization."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from feast import ValueType
from feast.infra.online_stores.helpers import _redis_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.type_map import python_values_to_proto_values
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.online.redis_format.entity_keys import BadJoinKey, redis_keys

KINDS: dict[ValueType, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    ValueType.STRING: (pa.string(), st.text(st.characters(exclude_categories=["Cs"]))),
    ValueType.BYTES: (pa.binary(), st.binary(min_size=1)),
    ValueType.INT32: (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    ValueType.INT64: (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    ValueType.UNIX_TIMESTAMP: (pa.timestamp("us"), st.datetimes()),
}
Columns = dict[str, tuple[pa.Array, ValueType]]


def by_feast(columns: Columns, project: str) -> list[bytes]:
    protos = {
        name: python_values_to_proto_values(column.to_numpy(zero_copy_only=False), kind)
        for name, (column, kind) in columns.items()
    }
    rows = zip(*protos.values(), strict=True)
    return [_redis_key(project, EntityKey(join_keys=list(protos), entity_values=row)) for row in rows]


@st.composite
def key_columns(draw: st.DrawFn) -> Columns:
    """One to five rows with one to four join keys of any type, in any order of names."""
    names = draw(st.lists(st.text("abéz_", min_size=1, max_size=9), min_size=1, max_size=4, unique=True))
    rows = draw(st.integers(1, 5))
    columns = {}
    for name in names:
        kind = draw(st.sampled_from(list(KINDS)))
        stored, value = KINDS[kind]
        columns[name] = pa.array(draw(st.lists(value, min_size=rows, max_size=rows)), stored), kind
    return columns


@given(key_columns(), st.sampled_from(["shop", "käufe"]))
def test_keys_are_serialized_as_by_feast(columns: Columns, project: str) -> None:
    assert redis_keys(columns, project).to_pylist() == by_feast(columns, project)


def test_a_key_equals_its_bytes_written_by_hand() -> None:
    columns = {"item_id": (pa.array(["a1"]), ValueType.STRING)}
    prefix = b"\x01\0\0\0" + b"\x02\0\0\0" + b"\x07\0\0\0item_id"
    assert redis_keys(columns, "shop").to_pylist() == [prefix + b"\x02\0\0\0" + b"\x02\0\0\0a1" + b"shop"]


@pytest.mark.parametrize(
    "column", [pa.array([7, 8]), pa.array(["a", "b"]).dictionary_encode(), pa.array(["a", "b"], pa.large_string())]
)
def test_string_keys_may_have_another_arrow_type(column: pa.Array) -> None:
    columns = {"item_id": (column, ValueType.STRING)}
    assert redis_keys(columns, "shop").to_pylist() == by_feast(columns, "shop")


def test_the_error_names_a_null_key() -> None:
    with pytest.raises(BadJoinKey, match="join key item_id: 1 of 2 values are null"):
        redis_keys({"item_id": (pa.array(["a", None]), ValueType.STRING)}, "shop")


def test_the_error_names_a_key_of_an_unsupported_type() -> None:
    with pytest.raises(BadJoinKey, match="join key weight: float cannot be stored as FLOAT"):
        redis_keys({"weight": (pa.array([1.0], pa.float32()), ValueType.FLOAT)}, "shop")
