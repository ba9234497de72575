"""For whole tables, our writer and Feast's own store write the same hashes and fields to Redis."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
import redis
from feast import ValueType
from feast.types import (
    Array,
    Bool,
    Bytes,
    FeastType,
    Float32,
    Float64,
    Int32,
    Int64,
    String,
    UnixTimestamp,
)
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.definitions.views import SESSION_STATE, value_types
from feature_repo.online.rows import BadRows, layout_of, rows_of_batch
from feature_repo.online.store import ServedRedisOnlineStore
from feature_repo.online.writer import NewestWinsWriter
from feature_repo.schema import Column, DType
from infra.redis_server.endpoint import Endpoint
from tests.feature_repo.online.redis_format.test_encoding import FLOAT32, FLOAT64, INT32, LATER_TIMESTAMP, TEXT
from tests.feature_repo.online.stores import (
    PROJECT,
    feast_rows,
    feature_view,
    hashes,
    repo_config,
    with_timestamps,
    write_by_feast,
    write_by_ours,
)

MICROS = pa.timestamp("us", "UTC")
SMALL = st.integers(-(2**53), 2**53)
# Name -> Feast type, Arrow type, cells.
FEATURES: dict[str, tuple[FeastType, pa.DataType, st.SearchStrategy[Any]]] = {
    "float": (Float32, pa.float32(), FLOAT32),
    "double": (Float64, pa.float64(), FLOAT64),
    "int": (Int32, pa.int32(), INT32),
    "long": (Int64, pa.int64(), SMALL),
    "bool": (Bool, pa.bool_(), st.booleans()),
    "text": (String, pa.string(), TEXT),
    "bytes": (Bytes, pa.binary(), st.binary(min_size=1)),
    "timestamp": (UnixTimestamp, MICROS, st.datetimes(timezones=st.just(UTC))),
    "floats": (Array(Float32), pa.list_(pa.float32()), st.lists(FLOAT32, max_size=4)),
    "doubles": (Array(Float64), pa.list_(pa.float64()), st.lists(FLOAT64, max_size=4)),
    "ints": (Array(Int32), pa.list_(pa.int32()), st.lists(INT32, max_size=4)),
    "longs": (Array(Int64), pa.list_(pa.int64()), st.lists(SMALL, max_size=4)),
    "bools": (Array(Bool), pa.list_(pa.bool_()), st.lists(st.booleans(), max_size=4)),
    "texts": (Array(String), pa.list_(pa.string()), st.lists(TEXT, max_size=4)),
    "byte_strings": (Array(Bytes), pa.list_(pa.binary()), st.lists(st.binary(), max_size=4)),
    "timestamps": (Array(UnixTimestamp), pa.list_(MICROS), st.lists(LATER_TIMESTAMP, max_size=4)),
}
KEYS: dict[str, tuple[FeastType, pa.DataType, st.SearchStrategy[Any]]] = {
    "item_id": (String, pa.string(), TEXT),
    "shop_id": (Int64, pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "day": (UnixTimestamp, MICROS, st.datetimes(timezones=st.just(UTC))),
}
AFTER_1970 = st.integers(1, 1_700_000_000_000_000)  # and in the past: our store refuses rows from the future


@st.composite
def tables(draw: st.DrawFn) -> tuple[Any, pa.Table]:
    """A view with some of the features and one to three join keys, and rows with distinct keys."""
    names = draw(st.lists(st.sampled_from(list(FEATURES)), min_size=1, max_size=len(FEATURES), unique=True))
    keys = draw(st.lists(st.sampled_from(list(KEYS)), min_size=1, unique=True))
    row = st.tuples(*(KEYS[key][2] for key in keys))
    rows = draw(st.lists(row, min_size=1, max_size=6, unique_by=lambda values: str(values)))
    columns = {key: pa.array(values, KEYS[key][1]) for key, values in zip(keys, zip(*rows, strict=True), strict=True)}
    for name in names:
        _, kind, cell = FEATURES[name]
        columns[name] = pa.array(draw(st.lists(st.none() | cell, min_size=len(rows), max_size=len(rows))), kind)
    columns["event_timestamp"] = pa.array(draw(st.lists(AFTER_1970, min_size=len(rows), max_size=len(rows))), MICROS)
    columns["created_timestamp"] = columns["event_timestamp"]
    view = feature_view({name: FEATURES[name][0] for name in names}, {key: KEYS[key][0] for key in keys})[1]
    return view, pa.table(columns)


@given(tables())
def test_redis_holds_the_same_as_with_feasts_own_store(endpoint: Endpoint, case: tuple[Any, pa.Table]) -> None:
    view, table = case
    with endpoint.client(10) as client:
        client.flushall()
        write_by_feast(endpoint, view, feast_rows(table, view))
        expected = hashes(client)
        client.flushall()
        (batch,) = table.combine_chunks().to_batches()
        written = NewestWinsWriter(client).write(rows_of_batch(batch, layout_of(view, PROJECT, view.name)))
        assert hashes(client) == expected
        assert written == table.num_rows
        client.flushall()
        write_by_ours(endpoint, view, feast_rows(table, view))
        assert hashes(client) == expected


def prices(count: int, value: float = 1.5) -> pa.Table:
    timestamp = datetime(2024, 5, 1, tzinfo=UTC)
    rows = {"item_id": [f"i{i}" for i in range(count)], "price": pa.array([value] * count, pa.float32())}
    return with_timestamps(rows, [timestamp] * count, [timestamp] * count)


PRICES = feature_view({"price": Float32})[1]


def test_our_store_adds_one_field_per_view(client: redis.Redis, endpoint: Endpoint) -> None:
    """It has eight bytes of the created timestamp, and the event timestamp that belongs to it."""
    write_by_ours(endpoint, PRICES, feast_rows(prices(1), PRICES))
    ((key, fields),) = hashes(client, ours_too=True).items()
    feasts = hashes(client)[key]
    micros = int(datetime(2024, 5, 1, tzinfo=UTC).timestamp()) * 1_000_000
    assert fields.keys() - feasts.keys() == {b"_ct:prices"}
    assert fields[b"_ct:prices"] == (micros + 2**63).to_bytes(8) + fields[b"_ts:prices"]


def test_views_with_one_entity_share_a_hash(client: redis.Redis, endpoint: Endpoint) -> None:
    stock = feature_view({"stock": Float32}, name="stock")[1]
    write_by_ours(endpoint, PRICES, feast_rows(prices(2), PRICES))
    write_by_ours(endpoint, stock, feast_rows(prices(2).rename_columns({"price": "stock"}), stock))
    assert [len(fields) for fields in hashes(client).values()] == [4, 4]


@pytest.mark.parametrize("count", [1, 31, 32, 33, 1_000])
def test_any_number_of_rows_is_written(client: redis.Redis, endpoint: Endpoint, count: int) -> None:
    write_by_ours(endpoint, PRICES, feast_rows(prices(count), PRICES))
    assert client.dbsize() == count


def test_a_view_may_have_more_features_than_one_hset_can_write(client: redis.Redis, endpoint: Endpoint) -> None:
    names = [f"f{i}" for i in range(123)]
    view = feature_view(dict.fromkeys(names, Float32))[1]
    one = prices(3).drop_columns("price")
    for i, name in enumerate(names):
        one = one.append_column(name, pa.array([i / 2, None, -i / 2], pa.float32()))
    write_by_feast(endpoint, view, feast_rows(one, view))
    expected = hashes(client)
    client.flushall()
    write_by_ours(endpoint, view, feast_rows(one, view))
    assert hashes(client) == expected


def test_a_value_may_be_very_long(client: redis.Redis, endpoint: Endpoint) -> None:
    view = feature_view({"text": String})[1]
    rows = prices(2).drop_columns("price").append_column("text", pa.array(["x" * 300_000, "short"]))
    write_by_feast(endpoint, view, feast_rows(rows, view))
    expected = hashes(client)
    client.flushall()
    write_by_ours(endpoint, view, feast_rows(rows, view))
    assert hashes(client) == expected


def test_keys_expire_after_the_time_in_feasts_option(client: redis.Redis, endpoint: Endpoint) -> None:
    write_by_ours(endpoint, PRICES, feast_rows(prices(2), PRICES), key_ttl_seconds=100)
    assert all(0 < client.ttl(key) <= 100 for key in client.scan_iter())
    client.flushall()
    write_by_ours(endpoint, PRICES, feast_rows(prices(2), PRICES))
    assert all(client.ttl(key) == -1 for key in client.scan_iter())


def test_the_async_method_writes_the_same(client: redis.Redis, endpoint: Endpoint) -> None:
    rows, counted = feast_rows(prices(70), PRICES), []
    write_by_ours(endpoint, PRICES, rows)
    expected = hashes(client, ours_too=True)
    client.flushall()
    store = ServedRedisOnlineStore()
    asyncio.run(store.online_write_batch_async(repo_config(endpoint), PRICES, rows, counted.append))
    assert hashes(client, ours_too=True) == expected
    assert sum(counted) == 70


def test_zero_rows_write_nothing(client: redis.Redis, endpoint: Endpoint) -> None:
    write_by_ours(endpoint, PRICES, [])
    (empty,) = prices(1).to_batches()
    assert NewestWinsWriter(client).write(rows_of_batch(empty.slice(0, 0), layout_of(PRICES, PROJECT, "prices"))) == 0
    assert client.dbsize() == 0


def test_deleting_a_view_also_deletes_our_field(client: redis.Redis, endpoint: Endpoint) -> None:
    stock = feature_view({"stock": Float32}, name="stock")[1]
    write_by_ours(endpoint, PRICES, feast_rows(prices(2), PRICES))
    write_by_ours(endpoint, stock, feast_rows(prices(2).rename_columns({"price": "stock"}), stock))
    ServedRedisOnlineStore().delete_table(repo_config(endpoint), PRICES)
    left = hashes(client, ours_too=True)
    assert len(left) == 2
    assert all(not field.endswith(b":prices") for fields in left.values() for field in fields)
    ServedRedisOnlineStore().delete_table(repo_config(endpoint), stock)
    assert client.dbsize() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"price": pa.array(["dear"])}, "feature view prices: feature price: string cannot be stored as FLOAT"),
        ({"item_id": pa.array([None], pa.string())}, "feature view prices: join key item_id: 1 of 1 values are null"),
        ({"event_timestamp": pa.array([None], MICROS)}, "feature view prices: timestamp event_timestamp: 1 of 1"),
        ({"created_timestamp": pa.array([5])}, "feature view prices: timestamp created_timestamp: its type is int64"),
    ],
)
def test_the_error_names_what_cannot_be_stored(change: dict[str, pa.Array], message: str) -> None:
    columns = {name: prices(1).column(name) for name in prices(1).column_names} | change
    (batch,) = pa.table(columns).to_batches()
    with pytest.raises(BadRows, match=message):
        rows_of_batch(batch, layout_of(PRICES, PROJECT, "prices"))


def test_the_error_names_a_missing_column() -> None:
    (batch,) = prices(1).drop_columns("price").to_batches()
    with pytest.raises(
        BadRows, match="feature view prices: feature price: there is no column price; there are item_id"
    ):
        rows_of_batch(batch, layout_of(PRICES, PROJECT, "prices"))


def test_every_feast_type_in_use_is_compared_here() -> None:
    columns = tuple(Column(kind.value, kind, "of this type", "none") for kind in DType if kind is not DType.MONEY)
    view = replace(SESSION_STATE, columns=columns)
    compared = {kind.to_value_type() for kind, _, _ in FEATURES.values()}
    assert set(value_types(view).values()) <= compared
    assert ValueType.UNIX_TIMESTAMP_LIST in compared
