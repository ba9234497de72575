from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis

from feature_repo import replay_start
from feature_repo.replay_start import NoLog, anchor, log_end
from infra.clock import held_clock, open_clock
from infra.redis_server import keys as redis_keys
from infra.redis_server import server as redis_server
from infra.redis_server.server import EVENTS, FEATURES, Role
from infra.settings import Settings

END = datetime(2018, 1, 1, 4, 1, 20, 7, tzinfo=UTC)
TIMESTAMP = pa.timestamp("us", tz="UTC")


def write_log(folder: Path, received: list[datetime | None], shown: list[datetime]) -> None:
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"received_ts": pa.array(received, TIMESTAMP)}), folder / "events.parquet")
    pq.write_table(pa.table({"shown_ts": pa.array(shown, TIMESTAMP)}), folder / "impressions.parquet")


def settings_in(folder: Path) -> Settings:
    return Settings(
        _env_file=None, state_dir=folder / "state", data_dir=folder / "data", dataset="shop", clock="replay",
        redis_url=None,
    )  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = settings_in(tmp_path)
    write_log(made.log_dir, [END - timedelta(days=1)], [END, END - timedelta(hours=1)])
    return made


@pytest.fixture
def clients(settings: Settings) -> Iterator[dict[Role, redis.Redis]]:
    yield {role: redis.Redis.from_url(redis_server.start(settings, role).url) for role in (FEATURES, EVENTS)}
    for role in (FEATURES, EVENTS):
        redis_server.stop(settings, role)


def microseconds(timestamp: datetime) -> int:
    return (timestamp - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def test_the_end_of_a_log_is_its_last_slate_or_its_last_event(tmp_path: Path) -> None:
    write_log(tmp_path / "a", [END], [END - timedelta(microseconds=1)])
    write_log(tmp_path / "b", [END - timedelta(microseconds=1)], [END])
    write_log(tmp_path / "c", [], [END])
    assert [log_end(tmp_path / name) for name in "abc"] == [END] * 3


def test_without_redis_the_anchor_is_the_end_of_the_log(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert anchor(settings) == END
    printed = capsys.readouterr().err
    assert "the Redis of the events" in printed
    assert "the Redis of the features" in printed
    assert open_clock(settings).now() >= END


def test_with_an_empty_redis_the_anchor_is_the_end_of_the_log(
    settings: Settings, clients: dict[Role, redis.Redis]
) -> None:
    assert anchor(settings) == END


@pytest.mark.parametrize(
    ("role", "key"), [(EVENTS, redis_keys.newest_event_us), (FEATURES, redis_keys.newest_score_us)]
)
def test_a_newer_event_or_score_is_the_anchor(
    settings: Settings, clients: dict[Role, redis.Redis], role: Role, key: Callable[[str], str]
) -> None:
    newer = END + timedelta(hours=2, microseconds=3)
    clients[role].set(key("shop"), microseconds(newer))
    clients[role].set(key("another"), microseconds(newer + timedelta(days=9)))
    assert anchor(settings) == newer


@pytest.mark.parametrize(
    ("kind", "column"), [("events", "received_ts"), ("items", "received_ts"), ("scores", "scored_at")]
)
def test_an_emptied_redis_does_not_turn_the_clock_back_behind_what_is_in_files(
    settings: Settings, clients: dict[Role, redis.Redis], kind: str, column: str
) -> None:
    newest = END + timedelta(days=1, hours=2)
    for ago in (timedelta(days=1), timedelta(minutes=1), timedelta()):
        when = newest - ago
        folder = settings.live_dir / kind / f"day={when.date().isoformat()}"
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({column: pa.array([when], TIMESTAMP)}), folder / f"{microseconds(when)}.parquet")
    assert anchor(settings) == newest


def test_an_older_event_does_not_turn_the_clock_back(settings: Settings, clients: dict[Role, redis.Redis]) -> None:
    clients[EVENTS].set(redis_keys.newest_event_us("shop"), microseconds(END - timedelta(days=2)))
    assert anchor(settings) == END


def test_the_error_names_a_missing_log(tmp_path: Path) -> None:
    with pytest.raises(NoLog, match=r"events\.parquet does not exist"):
        log_end(tmp_path)


def test_a_log_without_rows_has_no_end(tmp_path: Path) -> None:
    write_log(tmp_path / "log", [], [])
    with pytest.raises(NoLog, match="no rows"):
        log_end(tmp_path / "log")


def test_the_error_names_a_log_that_cannot_be_read(tmp_path: Path) -> None:
    write_log(tmp_path / "log", [END], [END])
    (tmp_path / "log" / "impressions.parquet").write_text("no parquet")
    with pytest.raises(NoLog, match=r"impressions\.parquet"):
        log_end(tmp_path / "log")


def test_the_wall_clock_gets_no_anchor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RERANK_CLOCK", "wall")
    monkeypatch.setenv("RERANK_STATE_DIR", str(tmp_path))
    assert replay_start.main([]) == 0
    assert "no anchor" in capsys.readouterr().out
    assert not list(tmp_path.rglob("*"))


def test_the_command_prints_the_anchor(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(replay_start, "command_settings", lambda: settings)
    assert replay_start.main([]) == 0
    assert END.isoformat() in capsys.readouterr().out


def test_the_command_leaves_the_clock_of_a_running_service_as_it_is(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(replay_start, "command_settings", lambda: settings)
    assert replay_start.main([]) == 0
    before = settings.clock_file.read_text()
    with held_clock(settings):
        assert replay_start.main([]) == 0
    assert settings.clock_file.read_text() == before
    assert "stays as it is" in capsys.readouterr().out


def test_time_that_was_let_pass_has_passed_in_later_starts_too(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_start, "command_settings", lambda: settings)
    next_day = END + timedelta(days=1)
    assert replay_start.main(["--not-before", next_day.isoformat()]) == 0
    assert next_day <= open_clock(settings).now() < next_day + timedelta(hours=1)
    assert replay_start.main([]) == 0
    assert next_day <= open_clock(settings).now() < next_day + timedelta(hours=1)


def test_a_time_before_the_end_of_the_log_does_not_turn_the_clock_back(settings: Settings) -> None:
    assert anchor(settings, END - timedelta(days=1)) == END


@pytest.mark.parametrize("text", ["tomorrow", "2024-13-01"])
def test_a_time_that_is_no_timestamp_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        replay_start.main(["--not-before", text])
    assert "is not an ISO 8601 timestamp" in capsys.readouterr().err
