"""Any sequence of writes ends with the newest row, as in a model in plain Python."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
import redis
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Float32, Int64
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.online.newest_wins import script
from feature_repo.online.rows import FeastRow, feature_field
from infra.redis_server.endpoint import Endpoint
from tests.feature_repo.online.stores import feature_view, hashes, write_by_feast, write_by_ours

VIEW = feature_view({"price": Float32, "version": Int64})[1]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
TIMESTAMPS = [
    datetime.min.replace(tzinfo=UTC),
    datetime(1901, 12, 13, 20, 45, 51, 999_999, tzinfo=UTC),
    EPOCH - MICROSECOND,
    EPOCH,
    EPOCH + MICROSECOND,
    datetime(2024, 5, 1, 12, 0, 0, 999_999, tzinfo=UTC),
    datetime(2024, 5, 1, 12, 0, 1, tzinfo=UTC),
    datetime(2024, 5, 1, 12, 0, 1, 1, tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
]


@dataclass(frozen=True)
class Write:
    key: str
    event: datetime
    created: datetime | None
    by_feast: bool = False


def row(write: Write, version: int) -> FeastRow:
    key = EntityKey(join_keys=["item_id"], entity_values=[Value(string_val=write.key)])
    values = {"price": Value(float_val=version / 2), "version": Value(int64_val=version)}
    return key, values, write.event, write.created


@dataclass
class Stored:
    event: datetime
    created: datetime | None  # None: unknown
    version: int


def expected(writes: Iterable[Write]) -> dict[str, Stored]:
    """The stored rows by the rule.

    Our writer writes a row that is not older than the stored one, by (event, created); an unknown created timestamp is
    the oldest. Feast's writer writes a row with a newer event timestamp.
    """
    stored: dict[str, Stored] = {}
    for version, write in enumerate(writes):
        created = None if write.by_feast else write.created
        old = stored.get(write.key)
        if old is None or (write.event > old.event if write.by_feast else _rank(write) >= _rank(old)):
            stored[write.key] = Stored(write.event, created, version)
    return stored


def _rank(row: Write | Stored) -> tuple[datetime, bool, datetime]:
    return row.event, row.created is not None, row.created or EPOCH


def versions(client: redis.Redis) -> dict[str, int]:
    found = {}
    for key, fields in hashes(client).items():
        name = key.removesuffix(b"shop").rsplit(b"\0", 1)[-1].decode()
        found[name] = Value.FromString(fields[feature_field("prices", "version")]).int64_val
    return found


KEYS = st.sampled_from(["a", "b"])
PAST = TIMESTAMPS[:-1]  # our store refuses rows from the future
WRITES = st.builds(Write, KEYS, st.sampled_from(PAST), st.none() | st.sampled_from(TIMESTAMPS))


@given(st.lists(st.lists(WRITES, min_size=1, max_size=5), max_size=6))
def test_any_sequence_of_batches_ends_with_the_newest_row(endpoint: Endpoint, batches: list[list[Write]]) -> None:
    with endpoint.client(10) as client:
        client.flushall()
        version = 0
        for batch in batches:
            write_by_ours(endpoint, VIEW, [row(write, version + i) for i, write in enumerate(batch)])
            version += len(batch)
        everything = [write for batch in batches for write in batch]
        assert versions(client) == {key: stored.version for key, stored in expected(everything).items()}


AFTER_1970 = PAST[4:]  # for earlier timestamps, Feast's own store ignores the stored row
MIXED_WRITES = st.builds(
    Write, KEYS, st.sampled_from(AFTER_1970), st.none() | st.sampled_from(TIMESTAMPS), st.booleans()
)


@given(st.lists(MIXED_WRITES, min_size=1, max_size=12))
def test_feasts_own_store_may_write_between_our_writes(endpoint: Endpoint, writes: list[Write]) -> None:
    """A row that Feast writes has an unknown created timestamp, also if the row before it had one."""
    with endpoint.client(10) as client:
        client.flushall()
        for version, write in enumerate(writes):
            (write_by_feast if write.by_feast else write_by_ours)(endpoint, VIEW, [row(write, version)])
        assert versions(client) == {key: stored.version for key, stored in expected(writes).items()}


CREATED = [None, TIMESTAMPS[0], *TIMESTAMPS[5:8]]  # the last three differ by one second or less
PAIRS = [(event, created) for event in TIMESTAMPS[3:7] for created in CREATED]


@given(st.permutations(PAIRS))
def test_every_order_of_arrival_ends_with_the_same_row(
    endpoint: Endpoint, pairs: list[tuple[datetime, datetime | None]]
) -> None:
    with endpoint.client(10) as client:
        client.flushall()
        for version, (event, created) in enumerate(pairs):
            write_by_ours(endpoint, VIEW, [row(Write("a", event, created), version)])
        assert versions(client) == {"a": pairs.index((TIMESTAMPS[6], TIMESTAMPS[7]))}


def test_a_row_with_equal_timestamps_is_written_again(client: redis.Redis, endpoint: Endpoint) -> None:
    """This fills a column that was added to the view."""
    write = Write("a", TIMESTAMPS[5], TIMESTAMPS[6])
    key, values, *timestamps = row(write, 1)
    write_by_ours(endpoint, VIEW, [(key, {"price": values["price"]}, *timestamps)])
    write_by_ours(endpoint, VIEW, [row(write, 2)])
    assert versions(client) == {"a": 2}


def test_a_known_created_timestamp_corrects_feasts_row_and_an_older_event_does_not(
    client: redis.Redis, endpoint: Endpoint
) -> None:
    write_by_feast(endpoint, VIEW, [row(Write("a", TIMESTAMPS[6], None), 1)])
    write_by_ours(endpoint, VIEW, [row(Write("a", TIMESTAMPS[5], TIMESTAMPS[8]), 2)])
    assert versions(client) == {"a": 1}
    write_by_ours(endpoint, VIEW, [row(Write("a", TIMESTAMPS[6], TIMESTAMPS[0]), 3)])
    assert versions(client) == {"a": 3}


def test_the_created_timestamp_of_a_replaced_row_has_no_effect(client: redis.Redis, endpoint: Endpoint) -> None:
    """First our row, created late; then Feast's with a newer event; then ours with that event, created early."""
    write_by_ours(endpoint, VIEW, [row(Write("a", TIMESTAMPS[5], TIMESTAMPS[8]), 1)])
    write_by_feast(endpoint, VIEW, [row(Write("a", TIMESTAMPS[6], None), 2)])
    write_by_ours(endpoint, VIEW, [row(Write("a", TIMESTAMPS[6], TIMESTAMPS[0]), 3)])
    assert versions(client) == {"a": 3}


@pytest.mark.parametrize("nanos", [1_000, 1_001, 1_999])
def test_another_client_may_store_nanoseconds(client: redis.Redis, endpoint: Endpoint, nanos: int) -> None:
    """The script compares microseconds."""
    write_by_ours(endpoint, VIEW, [row(Write("a", EPOCH, None), 1)])
    (key,) = hashes(client)
    client.hset(key, "_ts:prices", Timestamp(seconds=5, nanos=nanos).SerializeToString())
    write_by_ours(endpoint, VIEW, [row(Write("a", EPOCH + timedelta(seconds=5), TIMESTAMPS[8]), 2)])
    assert versions(client) == {"a": 1}
    write_by_ours(endpoint, VIEW, [row(Write("a", EPOCH + timedelta(seconds=5, microseconds=1), TIMESTAMPS[0]), 3)])
    assert versions(client) == {"a": 3}


def test_a_missing_created_timestamp_may_be_pandas_nat(client: redis.Redis, endpoint: Endpoint) -> None:
    key, values, event, _ = row(Write("a", TIMESTAMPS[5], None), 1)
    write_by_ours(endpoint, VIEW, [(key, values, event, pd.NaT)])
    assert versions(client) == {"a": 1}


@pytest.mark.parametrize("features", [0, 1, 49, 50, 51, 1_000])
def test_the_script_compiles_for_any_number_of_features(client: redis.Redis, features: int) -> None:
    assert client.script_load(script(features))
