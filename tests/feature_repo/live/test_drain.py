"""The consumer moves events from the stream into the log's files, each exactly once."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
import redis

from feature_repo.live import __main__ as live_main
from feature_repo.live import drain as drain_module
from feature_repo.live import stream_drain
from feature_repo.live.__main__ import Drained, main, warn_of_loss
from feature_repo.live.acceptance import EventKeys, Offered, accept_commands, outcomes
from feature_repo.live.accepted_files import AcceptedFiles
from feature_repo.live.drain import AlreadyDraining, Drain, sole_consumer
from feature_repo.live.event import LiveEvent, fingerprint, packed
from feature_repo.live.event_files import event_files
from feature_repo.live.stream_drain import GROUP
from feature_repo.schema import Declaration, events_table
from infra.redis_server.server import FEATURES, endpoint
from infra.settings import Settings

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def us(timestamp: datetime) -> int:
    return (timestamp - EPOCH) // timedelta(microseconds=1)


def event(number: int, **more: object) -> LiveEvent:
    fields = {"user_id": "u", "session_id": f"s{number % 3}", "action": "view", "item_id": "a", "event_us": us(NOON)}
    return LiveEvent(event_id=f"e{number:06d}", **(fields | more))  # type: ignore[arg-type]


def accept(client: redis.Redis, now: datetime, *live_events: LiveEvent) -> None:
    offered = [Offered(live_event, fingerprint(live_event)) for live_event in live_events]
    for command in accept_commands(EventKeys("shop"), offered, us(now)):
        connection = client.connection_pool.get_connection()
        connection.send_packed_command([command])
        assert all(isinstance(outcome, int) for outcome in outcomes([connection.read_response()]))
        client.connection_pool.release(connection)


def logged(live_dir: Path) -> list[str]:
    return [id for path in event_files(live_dir) for id in pq.read_table(path)["event_id"].to_pylist()]


def test_accepted_events_are_complete_in_the_log_and_no_longer_in_the_stream(
    tmp_path: Path, events: redis.Redis, features: redis.Redis
) -> None:
    full = event(1, quantity=2, value=440, price=1999, category_id="fruit", request_id="r", shown_position=4)
    accept(events, NOON, full, event(2, item_id=None, action="visit"))
    assert Drain("shop", tmp_path, events, features).drain() == 2
    (path,) = event_files(tmp_path)
    assert path.parent.name == "day=2024-03-01"
    table = pq.read_table(path)
    assert table.schema.equals(events_table(Declaration("x", "x")).arrow)
    first, second = table.to_pylist()
    assert first == {
        "event_id": "e000001", "user_id": "u", "session_id": "s1", "item_id": "a", "event_ts": NOON,
        "received_ts": NOON, "action": "view", "quantity": 2, "value": first["value"], "price": first["price"],
        "category_id": "fruit", "request_id": "r", "shown_position": 4,
    }  # fmt: skip
    assert (str(first["value"]), str(first["price"]), second["price"]) == ("4.40", "19.99", None)
    assert events.xlen(EventKeys("shop").stream) == 0
    assert Drain("shop", tmp_path, events, features).drain() == 0


def test_a_batch_that_crosses_midnight_makes_one_file_per_day(
    tmp_path: Path, events: redis.Redis, features: redis.Redis
) -> None:
    accept(events, NOON, event(1))
    accept(events, NOON + timedelta(hours=12), event(2), event(3))
    Drain("shop", tmp_path, events, features).drain()
    assert [path.parent.name for path in event_files(tmp_path)] == ["day=2024-03-01", "day=2024-03-02"]
    assert logged(tmp_path) == ["e000001", "e000002", "e000003"]


@pytest.mark.parametrize("dies_in", ["write_batch", "session_rows", "xack"])
def test_the_next_consumer_drains_the_batch_of_a_consumer_that_died_at_any_step(
    dies_in: str, tmp_path: Path, events: redis.Redis, features: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    accept(events, NOON, *(event(i) for i in range(5)))
    with monkeypatch.context() as patch:
        where = {"write_batch": AcceptedFiles, "session_rows": drain_module, "xack": redis.client.Pipeline}
        patch.setattr(where[dies_in], dies_in, die)
        with pytest.raises(KeyboardInterrupt):
            Drain("shop", tmp_path, events, features).drain()
    accept(events, NOON, *(event(i) for i in range(5, 8)))
    assert Drain("shop", tmp_path, events, features).drain() == 8
    assert logged(tmp_path) == [f"e{i:06d}" for i in range(8)]


def test_many_events_are_drained_in_batches(
    tmp_path: Path, events: redis.Redis, features: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_drain, "BATCH", 40)
    accept(events, NOON, *(event(i) for i in range(100)))
    assert Drain("shop", tmp_path, events, features).drain() == 100
    assert len(event_files(tmp_path)) == 3
    assert logged(tmp_path) == [f"e{i:06d}" for i in range(100)]


def test_incomplete_files_are_not_listed(tmp_path: Path, events: redis.Redis, features: redis.Redis) -> None:
    accept(events, NOON, event(1))
    Drain("shop", tmp_path, events, features).drain()
    (path,) = event_files(tmp_path)
    path.with_name(f".{path.name}.7.part").write_bytes(b"half")
    assert event_files(tmp_path) == [path]


@pytest.mark.parametrize(
    "fields",
    [
        {b"received": b"1709294400000000", b"event": b"{"},
        {b"received": b"1709294400000000", b"event": b'{"event_id": "x"}'},
        {b"received": b"soon", b"event": b"{}"},
        {b"event": b"{}"},
        {b"received": b"9" * 40, b"event": packed(event(99))},
        {b"received": b"1709294400000000", b"event": packed(event(99, quantity=2**40))},
        {b"received": b"1709294400000000", b"event": packed(event(99, price=10**15))},
    ],
    ids=["no JSON", "a field is missing", "no time", "no received", "no day", "quantity beyond int32", "price beyond"],
)
def test_an_entry_that_is_no_event_is_set_aside_and_the_others_are_drained(
    fields: dict[bytes, bytes], tmp_path: Path, events: redis.Redis, features: redis.Redis,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    keys = EventKeys("shop")
    accept(events, NOON, event(1))
    dead = events.xadd(keys.stream, fields)
    accept(events, NOON, event(2))
    assert Drain("shop", tmp_path, events, features).drain() == 2
    assert logged(tmp_path) == ["e000001", "e000002"]
    assert events.xlen(keys.stream) == 0
    assert events.xpending(keys.stream, GROUP)["pending"] == 0
    ((_, found),) = events.xrange(keys.dead)
    assert found.pop(b"reason")
    assert found == {**fields, b"entry": dead}
    assert f"entry {dead.decode()} cannot be logged and is set aside in rerank:shop:dead_events" in caplog.text


def test_entries_that_are_set_aside_are_bounded(
    tmp_path: Path, events: redis.Redis, features: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_drain, "DEAD_ENTRIES", 3)
    monkeypatch.setattr(stream_drain, "BATCH", 2)
    for number in range(5):
        events.xadd(EventKeys("shop").stream, {b"number": b"%d" % number})
    accept(events, NOON, event(1))
    assert Drain("shop", tmp_path, events, features).drain() == 1
    assert [fields[b"number"] for _, fields in events.xrange(EventKeys("shop").dead)] == [b"2", b"3", b"4"]


def test_a_session_whose_list_cannot_be_read_or_decoded_stops_no_other(
    tmp_path: Path, events: redis.Redis, features: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    keys = EventKeys("shop")
    accept(events, NOON, *(event(number) for number in range(6)))
    events.lset(keys.session("s0"), 0, b"1|{")
    events.delete(keys.session("s1"))
    events.set(keys.session("s1"), b"no list")
    assert Drain("shop", tmp_path, events, features).drain() == 6
    assert "the events of session 's1' cannot be read" in caplog.text
    assert "an entry of a session's list cannot be decoded and is left out: b'1|{'" in caplog.text
    assert len(features.keys()) == 2


def test_no_error_ends_the_consumer(
    servers: Settings, events: redis.Redis, features: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(events, NOON, event(1))
    stopping, rounds = threading.Event(), []

    def fail_first(found: Settings) -> Drained:
        rounds.append(1)
        if len(rounds) < 3:
            raise (TypeError("a fault of the code"), OSError("no space left"))[len(rounds) - 1]
        stopping.set()
        return drain_once(found)

    drain_once = live_main.drain_once
    monkeypatch.setattr(live_main, "drain_once", fail_first)
    live_main.run(servers.model_copy(update={"drain_s": 0.01, "data_dir": tmp_path}), stopping)
    assert len(rounds) == 4  # and a last time
    assert events.xlen(EventKeys("shop").stream) == 0


def test_only_one_consumer_drains(tmp_path: Path) -> None:
    with sole_consumer(tmp_path), pytest.raises(AlreadyDraining), sole_consumer(tmp_path):
        pass
    with sole_consumer(tmp_path):
        pass


def test_there_is_a_warning_if_redis_may_lose_events(servers: Settings, caplog: pytest.LogCaptureFixture) -> None:
    warn_of_loss(servers)
    assert caplog.text == ""
    lax = servers.model_copy(update={"events_redis_url": endpoint(servers, FEATURES).url})
    warn_of_loss(lax)
    assert "set appendfsync always" in caplog.text


def test_the_command_drains_the_present_events(
    servers: Settings, events: redis.Redis, features: redis.Redis, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(live_main.signal, "signal", lambda *_: None)  # pytest's handlers stay
    for name in ("state_dir", "data_dir", "dataset"):
        monkeypatch.setenv(f"RERANK_{name.upper()}", str(getattr(servers, name)))
    accept(events, NOON, event(1), event(2))
    assert main(["--once"]) == 0
    assert "drained 2 events" in capsys.readouterr().out
    connection = duckdb.connect()
    assert connection.execute(f"SELECT count(*) FROM '{servers.live_dir}/events/*/*.parquet'").fetchone() == (2,)
    with sole_consumer(servers.live_dir):
        assert main(["--once"]) == 0
        assert main([]) == 2
    assert "another consumer" in capsys.readouterr().err
