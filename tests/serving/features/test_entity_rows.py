"""Rows are decoded once; a stale one is never returned, and their number is bounded."""

from __future__ import annotations

from feast.protos.feast.types.Value_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp

from serving.features.entity_rows import EntityRows
from serving.item_cache.hash_layout import hash_layout
from tests.serving.world import VIEWS, us
from tests.small_log import at

LAYOUT = hash_layout((VIEWS["user_windows"],), "shop")
COLUMNS = [column.name for column in VIEWS["user_windows"].columns]
NOW = us(at(10))


def reply(orders: float, event_us: int = NOW - 1) -> list[bytes | None]:
    timestamp = Timestamp(seconds=event_us // 1_000_000, nanos=event_us % 1_000_000 * 1000).SerializeToString()
    values: list[bytes | None] = [None] * len(COLUMNS)
    values[COLUMNS.index("user_orders_all")] = Value(float_val=orders).SerializeToString()
    return [timestamp, *values]


NO_ROWS: list[bytes | None] = [None] * (len(COLUMNS) + 1)


def test_the_same_bytes_give_the_same_row_and_other_bytes_another_row():
    rows = EntityRows(LAYOUT)
    first = rows.row("u", reply(3), NOW, {})
    assert first["user_orders_all"] == 3
    assert rows.row("u", reply(3), NOW, {}) is first
    assert rows.row("u", reply(4), NOW, {})["user_orders_all"] == 4
    assert rows.row("v", reply(3), NOW, {}) is not first


def test_a_cached_row_still_expires():
    rows = EntityRows(LAYOUT)
    ttl_us = int(VIEWS["user_windows"].ttl.total_seconds() * 1e6)
    event_us = NOW - ttl_us
    assert rows.row("u", reply(3, event_us), NOW, {})
    assert not rows.row("u", reply(3, event_us), NOW + 1, {})
    assert not rows.row("u", reply(3, NOW + 1), NOW, {})
    times = {}
    rows.row("u", reply(3, event_us), NOW + 1, times)
    assert times["user_windows"].tolist() == [event_us]


def test_the_cached_rows_are_bounded_also_for_unknown_entities():
    rows = EntityRows(LAYOUT, max_bytes=200_000)
    for k in range(1_000):
        assert not rows.row(f"unknown {k}", NO_ROWS, NOW, {})
    unknown = len(rows)
    assert 10 < unknown < 200
    first = rows.row("u", reply(3), NOW, {})
    for k in range(unknown // 2):
        rows.row(f"another {k}", NO_ROWS, NOW, {})
    assert rows.row("u", reply(3), NOW, {}) is first
    for k in range(1_000):
        rows.row(f"more {k}", NO_ROWS, NOW, {})
    assert rows.row("u", reply(3), NOW, {}) is not first
    assert rows.bytes <= 200_000
