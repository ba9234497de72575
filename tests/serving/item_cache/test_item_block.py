"""The ttl of several views, compared with one row and one view at a time."""

from dataclasses import replace

import numpy as np
from feast.protos.feast.types.Value_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.schema import Column, DType
from serving.item_cache.item_block import ItemColumns, columns_at, decode_items
from tests.serving.item_cache.test_item_cache import VIEW

DAY_US = 86_400_000_000
LONGER = replace(VIEW, name="stock", ttl=3 * VIEW.ttl, columns=(Column("left", DType.FLOAT32, ""),))
VIEWS = (VIEW, LONGER)
COLUMNS = ItemColumns.of(VIEWS)
NOW = 100 * DAY_US
NEAR = st.sampled_from([0, *(view.ttl_us for view in VIEWS)]).flatmap(
    lambda ttl_us: st.integers(-1, 1).map(lambda shift: NOW - ttl_us + shift)
)
STAMPS = st.none() | NEAR | st.integers(NOW - 5 * DAY_US, NOW + DAY_US)


def reply(timestamps: tuple[int | None, int | None]) -> list[bytes | None]:
    """Each view has its columns' values, also where it has no row."""
    found: list[bytes | None] = [
        None if us is None else Timestamp(seconds=us // 1_000_000, nanos=us % 1_000_000 * 1000).SerializeToString()
        for us in timestamps
    ]
    values = (Value(float_val=2.0), Value(int64_val=3), Value(string_val="b"), Value(float_val=4.0))
    return found + [value.SerializeToString() for value in values]


@given(st.lists(st.tuples(STAMPS, STAMPS), min_size=1, max_size=6))
def test_a_view_counts_from_its_timestamp_until_its_own_ttl_later(items):
    columns, missing = columns_at(
        decode_items([reply(each) for each in items], COLUMNS, COLUMNS.no_texts()), COLUMNS, NOW
    )
    valid = [
        [us is not None and us <= NOW <= us + view.ttl_us for us, view in zip(each, VIEWS, strict=True)]
        for each in items
    ]
    expected = {
        "price": [2.0 if own else np.nan for own, _ in valid],
        "seen_us": [3.0 if own else np.nan for own, _ in valid],
        "left": [4.0 if own else np.nan for _, own in valid],
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(columns[name], np.array(values))
    assert columns["brand"].tolist() == ["b" if own else None for own, _ in valid]
    is_ahead = [any(us is not None and us > NOW for us in each) for each in items]
    assert missing == sum(ahead or not any(each) for ahead, each in zip(is_ahead, valid, strict=True))
