from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.online.redis_format import timestamps
from feature_repo.online.redis_format.timestamps import BadTimestamp, microseconds

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROS = st.datetimes(timezones=st.just(UTC)).map(lambda timestamp: (timestamp - EPOCH) // timedelta(microseconds=1))
EDGES = [datetime(1, 1, 1), datetime(1969, 12, 31, 23, 59, 59, 999_999), datetime(1970, 1, 1), datetime.max]  # noqa: DTZ001, DTZ901


@given(st.lists(MICROS, min_size=1, max_size=20))
def test_timestamps_are_serialized_as_by_protobuf(values: list[int]) -> None:
    expected = []
    for value in values:
        timestamp = Timestamp()
        timestamp.FromDatetime(EPOCH + timedelta(microseconds=value))
        expected.append(timestamp.SerializeToString())
    assert timestamps.timestamp_protos(np.array(values)).to_pylist() == expected


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=20))
def test_created_timestamps_sort_like_their_numbers(values: list[int]) -> None:
    created = timestamps.created_timestamps(np.array(values)).to_pylist()
    assert [int.from_bytes(timestamp) - 2**63 for timestamp in created] == values
    assert [value for _, value in sorted(zip(created, values, strict=True))] == sorted(values)


def test_an_unknown_created_timestamp_is_eight_zeros() -> None:
    assert timestamps.created_timestamps(np.array([timestamps.UNKNOWN])).to_pylist() == [bytes(8)]


@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York", "+05:30"])
def test_the_zone_does_not_change_the_microseconds_and_naive_is_utc(zone: str | None) -> None:
    column = pa.array([1_500_000_000_123_456], pa.timestamp("us", zone))
    assert microseconds(column).tolist() == [1_500_000_000_123_456]


def test_all_units_are_converted_to_microseconds_rounded_down() -> None:
    for unit, value, expected in (
        ("s", -2, -2_000_000),
        ("ms", 3, 3_000),
        ("us", -1, -1),
        ("ns", -1, -1),
        ("ns", 1_999, 1),
    ):
        assert microseconds(pa.array([value], pa.timestamp(unit))).tolist() == [expected]


def test_the_whole_range_of_datetime_is_supported() -> None:
    for edge in EDGES:
        aware = edge.replace(tzinfo=UTC)
        expected = (aware - EPOCH) // timedelta(microseconds=1)
        assert microseconds(pa.array([aware], pa.timestamp("us", "UTC"))).tolist() == [expected]
        assert timestamps.datetime_microseconds(aware) == timestamps.datetime_microseconds(edge) == expected


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_a_year_that_protobuf_cannot_hold_is_refused(unit: str) -> None:
    first_of_10000 = 253_402_300_800 * {"s": 1, "ms": 1_000, "us": 1_000_000}[unit]
    for value in (first_of_10000, 2**62, -(2**62)):
        with pytest.raises(BadTimestamp, match="1 to 9999"):
            microseconds(pa.array([value], pa.timestamp(unit)))


def test_a_null_is_refused_unless_nullable() -> None:
    column = pa.array([None, 5], pa.timestamp("us"))
    with pytest.raises(BadTimestamp, match="1 of 2 values are null"):
        microseconds(column)
    assert microseconds(column, nullable=True).tolist() == [timestamps.UNKNOWN, 5]


def test_another_type_is_refused() -> None:
    with pytest.raises(BadTimestamp, match="its type is int64"):
        microseconds(pa.array([1]))
