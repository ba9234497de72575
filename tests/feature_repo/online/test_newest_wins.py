"""Any sequence of writes ends in the newest row, compared with a model in plain Python."""

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
MOMENTS = [
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
    """Ours: not older than what is stored, by (event, created), unknown being the oldest. Feast's: a newer event."""
    stored: dict[str, Stored] = {}
    for version, write in enumerate(writes):
        created = None if write.by_feast else write.created
        now = stored.get(write.key)
        if now is None or (write.event > now.event if write.by_feast else _rank(write) >= _rank(now)):
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
WRITES = st.builds(Write, KEYS, st.sampled_from(MOMENTS), st.none() | st.sampled_from(MOMENTS))


@given(st.lists(st.lists(WRITES, min_size=1, max_size=5), max_size=6))
def test_any_sequence_of_batches_ends_in_the_newest_row(endpoint: Endpoint, batches: list[list[Write]]) -> None:
    with endpoint.client(10) as client:
        client.flushall()
        version = 0
        for batch in batches:
            write_by_ours(endpoint, VIEW, [row(write, version + i) for i, write in enumerate(batch)])
            version += len(batch)
        everything = [write for batch in batches for write in batch]
        assert versions(client) == {key: stored.version for key, stored in expected(everything).items()}


AFTER_1970 = MOMENTS[4:]  # before, Feast's own store takes what is stored for nothing
MIXED_WRITES = st.builds(Write, KEYS, st.sampled_from(AFTER_1970), st.none() | st.sampled_from(MOMENTS), st.booleans())


@given(st.lists(MIXED_WRITES, min_size=1, max_size=12))
def test_writes_of_feasts_own_store_between_ours(endpoint: Endpoint, writes: list[Write]) -> None:
    """What Feast writes has no created timestamp, and takes none over from the row before."""
    with endpoint.client(10) as client:
        client.flushall()
        for version, write in enumerate(writes):
            (write_by_feast if write.by_feast else write_by_ours)(endpoint, VIEW, [row(write, version)])
        assert versions(client) == {key: stored.version for key, stored in expected(writes).items()}


CREATED = [None, MOMENTS[0], *MOMENTS[5:8]]  # the last are neighbours
PAIRS = [(event, created) for event in MOMENTS[3:7] for created in CREATED]


@given(st.permutations(PAIRS))
def test_every_order_of_arrival_ends_in_the_same_row(
    endpoint: Endpoint, pairs: list[tuple[datetime, datetime | None]]
) -> None:
    with endpoint.client(10) as client:
        client.flushall()
        for version, (event, created) in enumerate(pairs):
            write_by_ours(endpoint, VIEW, [row(Write("a", event, created), version)])
        assert versions(client) == {"a": pairs.index((MOMENTS[6], MOMENTS[7]))}


def test_an_equal_pair_is_written_again(client: redis.Redis, endpoint: Endpoint) -> None:
    """Which fills a column that the view has got since."""
    write = Write("a", MOMENTS[5], MOMENTS[6])
    key, values, *timestamps = row(write, 1)
    write_by_ours(endpoint, VIEW, [(key, {"price": values["price"]}, *timestamps)])
    write_by_ours(endpoint, VIEW, [row(write, 2)])
    assert versions(client) == {"a": 2}


def test_feasts_row_is_corrected_by_a_known_created_timestamp_and_not_by_an_older_event(
    client: redis.Redis, endpoint: Endpoint
) -> None:
    write_by_feast(endpoint, VIEW, [row(Write("a", MOMENTS[6], None), 1)])
    write_by_ours(endpoint, VIEW, [row(Write("a", MOMENTS[5], MOMENTS[8]), 2)])
    assert versions(client) == {"a": 1}
    write_by_ours(endpoint, VIEW, [row(Write("a", MOMENTS[6], MOMENTS[0]), 3)])
    assert versions(client) == {"a": 3}


def test_a_created_timestamp_of_another_row_counts_for_nothing(client: redis.Redis, endpoint: Endpoint) -> None:
    """Ours, created late; Feast's with a newer event; then ours with that event, created early."""
    write_by_ours(endpoint, VIEW, [row(Write("a", MOMENTS[5], MOMENTS[8]), 1)])
    write_by_feast(endpoint, VIEW, [row(Write("a", MOMENTS[6], None), 2)])
    write_by_ours(endpoint, VIEW, [row(Write("a", MOMENTS[6], MOMENTS[0]), 3)])
    assert versions(client) == {"a": 3}


@pytest.mark.parametrize("nanos", [1_000, 1_001, 1_999])
def test_a_foreign_client_may_keep_nanoseconds(client: redis.Redis, endpoint: Endpoint, nanos: int) -> None:
    """Compared is to the microsecond."""
    write_by_ours(endpoint, VIEW, [row(Write("a", EPOCH, None), 1)])
    (key,) = hashes(client)
    client.hset(key, "_ts:prices", Timestamp(seconds=5, nanos=nanos).SerializeToString())
    write_by_ours(endpoint, VIEW, [row(Write("a", EPOCH + timedelta(seconds=5), MOMENTS[8]), 2)])
    assert versions(client) == {"a": 1}
    write_by_ours(endpoint, VIEW, [row(Write("a", EPOCH + timedelta(seconds=5, microseconds=1), MOMENTS[0]), 3)])
    assert versions(client) == {"a": 3}


def test_a_missing_created_timestamp_may_be_pandas_own(client: redis.Redis, endpoint: Endpoint) -> None:
    key, values, event, _ = row(Write("a", MOMENTS[5], None), 1)
    write_by_ours(endpoint, VIEW, [(key, values, event, pd.NaT)])
    assert versions(client) == {"a": 1}


@pytest.mark.parametrize("features", [0, 1, 49, 50, 51, 1_000])
def test_the_script_compiles_for_any_number_of_features(client: redis.Redis, features: int) -> None:
    assert client.script_load(script(features))
