"""Encoding gives the same bytes as Feast's own conversion, value by value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from feast import ValueType
from feast.type_map import python_values_to_proto_values
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.online.redis_format import encoding
from feature_repo.online.redis_format.encoding import BadColumn, encode

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
FLOAT32 = st.floats(width=32)
FLOAT64 = st.floats()
INT32 = st.integers(-(2**31), 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
TIMESTAMP = st.datetimes(timezones=st.just(UTC))
LATER_TIMESTAMP = st.integers(0, 7_258_118_400_000_000).map(lambda us: EPOCH + timedelta(microseconds=us))
MICROS = pa.timestamp("us", "UTC")

# Name -> Feast type, Arrow type, cells. None is a null cell.
SCALARS: dict[str, tuple[ValueType, pa.DataType, st.SearchStrategy[Any]]] = {
    "float32": (ValueType.FLOAT, pa.float32(), FLOAT32),
    "float64 as float32": (ValueType.FLOAT, pa.float64(), FLOAT64),
    "float64": (ValueType.DOUBLE, pa.float64(), FLOAT64),
    "int32": (ValueType.INT32, pa.int32(), INT32),
    "int64": (ValueType.INT64, pa.int64(), st.integers(-(2**53), 2**53)),
    "int32 as int64": (ValueType.INT64, pa.int32(), INT32),
    "bool": (ValueType.BOOL, pa.bool_(), st.booleans()),
    "string": (ValueType.STRING, pa.string(), TEXT),
    "large_string": (ValueType.STRING, pa.large_string(), TEXT),
    "bytes": (ValueType.BYTES, pa.binary(), st.binary(min_size=1)),
    "timestamp": (ValueType.UNIX_TIMESTAMP, MICROS, TIMESTAMP),
    "naive timestamp": (ValueType.UNIX_TIMESTAMP, pa.timestamp("us"), st.datetimes()),
    "timestamp in ns": (
        ValueType.UNIX_TIMESTAMP,
        pa.timestamp("ns", "UTC"),
        st.integers(-8 * 10**15, 8 * 10**15).map(lambda us: EPOCH + timedelta(microseconds=us)),
    ),
    "timestamp in s": (
        ValueType.UNIX_TIMESTAMP,
        pa.timestamp("s"),
        st.datetimes().map(lambda t: t.replace(microsecond=0)),
    ),
}
LISTS: dict[str, tuple[ValueType, pa.DataType, st.SearchStrategy[Any]]] = {
    "float32": (ValueType.FLOAT_LIST, pa.float32(), st.none() | FLOAT32),
    "float64 as float32": (ValueType.FLOAT_LIST, pa.float64(), st.none() | FLOAT64),
    "float64": (ValueType.DOUBLE_LIST, pa.float64(), st.none() | FLOAT64),
    "int32": (ValueType.INT32_LIST, pa.int32(), INT32),
    "int64": (ValueType.INT64_LIST, pa.int64(), INT64),
    "bool": (ValueType.BOOL_LIST, pa.bool_(), st.none() | st.booleans()),
    "string": (ValueType.STRING_LIST, pa.string(), st.none() | TEXT),
    "bytes": (ValueType.BYTES_LIST, pa.binary(), st.none() | st.binary()),
    "timestamp": (ValueType.UNIX_TIMESTAMP_LIST, MICROS, st.none() | LATER_TIMESTAMP),
    "any timestamp": (ValueType.UNIX_TIMESTAMP_LIST, MICROS, st.none() | TIMESTAMP),
}


def by_feast(column: pa.Array, value_type: ValueType) -> list[bytes]:
    protos = python_values_to_proto_values(column.to_numpy(zero_copy_only=False), value_type)
    return [proto.SerializeToString() for proto in protos]


def column_of(cells: list[Any], kind: pa.DataType, data: st.DataObject) -> pa.Array:
    """An array, or a slice of a longer array whose offsets do not start at 0."""
    before, after = data.draw(st.integers(0, len(cells))), data.draw(st.integers(0, len(cells)))
    return pa.array(cells[:before] + cells + cells[:after], kind).slice(before, len(cells))


@pytest.mark.parametrize("name", SCALARS)
@given(data=st.data())
def test_scalars_are_encoded_as_by_feast(name: str, data: st.DataObject) -> None:
    value_type, kind, cell = SCALARS[name]
    cells = data.draw(st.lists(st.none() | cell, min_size=1, max_size=12))
    column = column_of(cells, kind, data)
    assert encode(column, value_type).to_pylist() == by_feast(column, value_type)


@pytest.mark.parametrize("large", [False, True], ids=["list", "large_list"])
@pytest.mark.parametrize("name", LISTS)
@given(data=st.data())
def test_lists_are_encoded_as_by_feast(name: str, large: bool, data: st.DataObject) -> None:
    value_type, element, value = LISTS[name]
    cells = data.draw(st.lists(st.none() | st.lists(value, max_size=8), min_size=1, max_size=8))
    column = column_of(cells, pa.large_list(element) if large else pa.list_(element), data)
    assert encode(column, value_type).to_pylist() == by_feast(column, value_type)


@pytest.mark.parametrize("name", [*SCALARS, *(f"{name} list" for name in LISTS)])
def test_a_column_may_be_empty_or_have_only_nulls(name: str) -> None:
    plain = name.removesuffix(" list")
    value_type, kind, _ = SCALARS[name] if name in SCALARS else LISTS[plain]
    kind = kind if name in SCALARS else pa.list_(kind)
    assert encode(pa.array([], kind), value_type).to_pylist() == []
    nulls = pa.array([None, None], kind)
    assert encode(nulls, value_type).to_pylist() == by_feast(nulls, value_type)


def test_the_types_of_the_project_never_need_feasts_slow_conversion(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: Any) -> None:
        raise AssertionError("converted by Feast, value by value")

    monkeypatch.setattr(encoding, "python_values_to_proto_values", slow)
    for kinds, wrap in ((SCALARS, lambda kind: kind), (LISTS, pa.list_)):
        for value_type, kind, _ in kinds.values():
            assert encode(pa.array([None], wrap(kind)), value_type).to_pylist() != [None]


def test_a_null_under_a_null_list_is_not_stored() -> None:
    """In Arrow a null list may have elements. They must be ignored."""
    column = pa.ListArray.from_arrays(
        pa.array([0, 1, 3], pa.int32()), pa.array([7, 8, 9]), mask=pa.array([False, True])
    )
    assert encode(column, ValueType.INT64_LIST).to_pylist() == [b"\x72\x03\x0a\x01\x07", b""]


def test_a_dictionary_column_is_encoded_like_its_values() -> None:
    plain = pa.array(["a", None, "b", "a"])
    assert encode(plain.dictionary_encode(), ValueType.STRING).equals(encode(plain, ValueType.STRING))


def test_strings_and_lists_may_be_long() -> None:
    column = pa.array(["x" * 70_000, "y"])
    assert encode(column, ValueType.STRING).to_pylist() == by_feast(column, ValueType.STRING)
    numbers = pa.array([list(range(-3_000, 3_000)), []])
    assert encode(numbers, ValueType.INT64_LIST).to_pylist() == by_feast(numbers, ValueType.INT64_LIST)


def test_nan_list_elements_have_the_same_bits_as_with_feast() -> None:
    patterns = np.array([0x7FC00000, 0xFFC00001, 0x7F800001, 0x7FC12345], np.uint32).view(np.float32)
    column = pa.ListArray.from_arrays(pa.array([0, 4], pa.int32()), pa.array(patterns))
    assert encode(column, ValueType.FLOAT_LIST).to_pylist() == by_feast(column, ValueType.FLOAT_LIST)


@pytest.mark.parametrize(
    ("column", "value_type"),
    [
        (pa.array(['{"a": 1}', None]), ValueType.JSON),
        (pa.array([1, None], pa.int16()), ValueType.STRING),
        (pa.array([Decimal("1.50")]), ValueType.DECIMAL),
        (pa.array([[1, 2], None]), ValueType.INT64_SET),
        (pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2)), ValueType.FLOAT_LIST),
        (pa.array([b"pdf"]), ValueType.PDF_BYTES),
    ],
)
def test_feast_itself_converts_other_types(column: pa.Array, value_type: ValueType) -> None:
    assert encode(column, value_type).to_pylist() == by_feast(column, value_type)


def test_the_error_for_a_refused_value_names_both_types() -> None:
    with pytest.raises(BadColumn, match=r"list<.*int64> cannot be stored as INT64_LIST"):
        encode(pa.array([[1, None]]), ValueType.INT64_LIST)
    with pytest.raises(BadColumn, match="string cannot be stored as FLOAT"):
        encode(pa.array(["a"]), ValueType.FLOAT)


# ---------------------------------------------------- where Feast's own conversion loses information


def test_an_integer_in_a_column_with_a_null_is_exact() -> None:
    column = pa.array([2**53 + 1, None])
    assert encode(column, ValueType.INT64).to_pylist() == [*by_feast(pa.array([2**53 + 1]), ValueType.INT64), b""]
    assert by_feast(column, ValueType.INT64) != encode(column, ValueType.INT64).to_pylist()


def test_empty_bytes_are_not_null_even_without_other_bytes() -> None:
    column = pa.array([b""])
    assert encode(column, ValueType.BYTES).to_pylist() == [b"\x0a\x00"]
    assert by_feast(column, ValueType.BYTES) == [b""]


def test_nanoseconds_in_a_list_are_not_stored_as_seconds() -> None:
    second = datetime(2024, 5, 1, 12, tzinfo=UTC)
    right = by_feast(pa.array([[second]], pa.list_(MICROS)), ValueType.UNIX_TIMESTAMP_LIST)
    column = pa.array([[second]], pa.list_(pa.timestamp("ns", "UTC")))
    assert encode(column, ValueType.UNIX_TIMESTAMP_LIST).to_pylist() == right
    assert by_feast(column, ValueType.UNIX_TIMESTAMP_LIST) != right
