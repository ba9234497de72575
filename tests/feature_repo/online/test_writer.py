"""Several writers at the same time, and errors on the way to Redis."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
import redis
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Int64

from feature_repo.online.rows import Rows, feature_field, layout_of, rows_of_batch
from feature_repo.online.writer import NewestWinsWriter
from infra.redis_server.endpoint import Endpoint
from tests.feature_repo.online.stores import PROJECT, feast_rows, feature_view, hashes, with_timestamps, write_by_ours

VIEW = feature_view({"version": Int64})[1]
START = datetime(2024, 5, 1, tzinfo=UTC)


def table(items: list[str], ages: list[int]) -> pa.Table:
    """Rows whose version gives their (event, created): three created timestamps per event."""
    events = [START + timedelta(seconds=age // 3) for age in ages]
    created = [START + timedelta(days=1, microseconds=age % 3) for age in ages]
    return with_timestamps({"item_id": items, "version": ages}, events, created)


def rows(items: list[str], ages: list[int]) -> Rows:
    batch = table([*items, "one more"], [*ages, 0]).to_batches()[0].slice(0, len(items))
    return rows_of_batch(batch, layout_of(VIEW, PROJECT, "prices"))


def versions(client: redis.Redis) -> list[int]:
    field = feature_field("prices", "version")
    return [Value.FromString(fields[field]).int64_val for fields in hashes(client).values()]


def test_concurrent_pushes_and_materializations_end_with_the_newest(client: redis.Redis, endpoint: Endpoint) -> None:
    """Four writers write all rows, each in another order. A check that is separate from the write would fail here."""
    items, ages = [f"i{i}" for i in range(40)], list(range(25))

    def materialize(seed: int) -> None:
        order = [(item, age) for item in items for age in ages]
        random.Random(seed).shuffle(order)
        with endpoint.client(10) as separate:
            writer = NewestWinsWriter(separate)
            for start in range(0, len(order), 90):
                piece = order[start : start + 90]
                writer.write(rows([item for item, _ in piece], [age for _, age in piece]))

    def push(seed: int) -> None:
        order = [(item, age) for item in items for age in ages]
        random.Random(seed).shuffle(order)
        for start in range(0, len(order), 25):
            piece = order[start : start + 25]
            pushed = feast_rows(table([item for item, _ in piece], [age for _, age in piece]), VIEW)
            write_by_ours(endpoint, VIEW, pushed)

    with ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(write, seed) for seed, write in enumerate((materialize, materialize, push, push))]
        for task in tasks:
            task.result()
    assert versions(client) == [24] * 40


def test_the_number_of_written_rows_is_returned(client: redis.Redis) -> None:
    writer = NewestWinsWriter(client)
    assert writer.write(rows(["a", "b", "c"], [3, 3, 3])) == 3
    assert writer.write(rows(["a", "b", "c", "d"], [2, 3, 4, 0])) == 3  # older, equal, newer, new


def test_the_newest_row_of_a_key_in_one_batch_wins(client: redis.Redis) -> None:
    NewestWinsWriter(client).write(rows(["a", "a", "a"], [4, 9, 7]))
    assert versions(client) == [9]


def test_the_script_is_loaded_again_if_the_server_has_lost_it(client: redis.Redis) -> None:
    writer = NewestWinsWriter(client)
    writer.write(rows(["a"], [1]))
    client.script_flush()
    assert writer.write(rows(["a"], [2])) == 1
    assert versions(client) == [2]


def test_a_key_of_another_kind_is_an_error_and_the_connection_stays_usable(client: redis.Redis) -> None:
    (key,) = rows(["a"], [1]).keys.to_pylist()
    client.set(key, "not a hash")
    writer = NewestWinsWriter(client)
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        writer.write(rows(["a", "b"], [1, 1]))
    client.delete(key)
    assert writer.write(rows(["a", "b"], [1, 1])) == 2


def test_a_full_server_is_an_error(client: redis.Redis) -> None:
    client.config_set("maxmemory", "1")
    try:
        with pytest.raises(redis.ResponseError, match="OOM"):
            NewestWinsWriter(client).write(rows(["a"], [1]))
    finally:
        client.config_set("maxmemory", "0")


def test_chunks_are_written_and_reported_in_order(client: redis.Redis) -> None:
    sizes = [3, 1, 0, 5, 2, 4]
    chunks = (rows([f"{size}-{i}" for i in range(size)], [0] * size) for size in sizes)
    assert list(NewestWinsWriter(client).write_all(chunks)) == [(size, size) for size in sizes]
    assert client.dbsize() == sum(sizes)


def test_an_error_in_the_chunks_stops_the_writer_and_all_rows_can_be_written_again(client: redis.Redis) -> None:
    def failing(after: int) -> Iterator[Rows]:
        for i in range(10):
            if i == after:
                raise RuntimeError("the offline store is away")
            yield rows([f"i{i}"], [i])

    writer = NewestWinsWriter(client)
    with pytest.raises(RuntimeError, match="offline store is away"):
        list(writer.write_all(failing(4)))
    assert client.dbsize() <= 4
    assert sum(count for count, _ in writer.write_all(failing(10))) == 10
    assert sorted(versions(client)) == list(range(10))


def test_a_server_that_is_away_is_an_error() -> None:
    away = NewestWinsWriter(Endpoint("127.0.0.1", 1).client(0.2))
    with pytest.raises(redis.ConnectionError):
        list(away.write_all(iter([rows(["a"], [2]), rows(["a"], [3])])))


def test_unread_replies_are_not_given_to_a_later_command(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C comes between two replies."""
    many = rows([f"i{i}" for i in range(200)], [1] * 200)
    read = redis.Connection.read_response
    replies = iter([read, read])

    def interrupted(connection: redis.Connection, **how: Any) -> Any:
        for reply in replies:
            return reply(connection, **how)
        raise KeyboardInterrupt

    writer = NewestWinsWriter(client)
    writer.write(rows(["a"], [1]))
    with monkeypatch.context() as patch:
        patch.setattr(redis.Connection, "read_response", interrupted)
        with pytest.raises(KeyboardInterrupt):
            writer.write(many)
    assert client.echo("mine") == b"mine"
    assert writer.write(many) == 200


def test_a_server_that_answers_too_late_is_an_error(client: redis.Redis, endpoint: Endpoint) -> None:
    short_timeout = endpoint.client(0.05)
    writer = NewestWinsWriter(short_timeout)
    writer.write(rows(["a"], [1]))
    client.execute_command("CLIENT", "PAUSE", 300)
    with pytest.raises(redis.TimeoutError):
        writer.write(rows(["a"], [2]))
    client.execute_command("CLIENT", "UNPAUSE")
    assert short_timeout.echo("mine") == b"mine"
    assert writer.write(rows(["a"], [3])) == 1
    short_timeout.close()
