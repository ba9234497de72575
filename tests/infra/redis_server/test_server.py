"""The embedded server with real processes. Each test has its own state folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from infra.redis_server import embedded
from infra.redis_server import server as redis_server
from infra.redis_server.endpoint import BadRedisUrl, Endpoint
from infra.redis_server.server import EVENTS, FEATURES, NoRedis, RedisServerFailed, endpoint, running, start, stop
from infra.settings import Settings


def settings_in(folder: Path, redis_url: str | None = None, redis_timeout_s: float = 0.25) -> Settings:
    return Settings(_env_file=None, state_dir=folder, redis_url=redis_url, redis_timeout_s=redis_timeout_s)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    made = settings_in(tmp_path / "state")
    yield made
    stop(made)


def client(at: Endpoint) -> redis.Redis:
    return redis.Redis.from_url(at.url, socket_timeout=5, decode_responses=True)


def record(settings: Settings) -> dict[str, int]:
    found: dict[str, int] = json.loads((settings.redis_dir / "endpoint.json").read_text())
    return found


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}/cwd").exists():
        try:
            os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            return
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_started_server_answers_on_loopback_only_and_never_evicts(settings: Settings) -> None:
    at = start(settings)
    with client(at) as redis_client:
        wanted = {"bind": "127.0.0.1", "appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}
        assert {name: redis_client.config_get(name)[name] for name in wanted} == wanted
    assert endpoint(settings) == running(settings) == at


def test_a_second_start_returns_the_running_server(settings: Settings) -> None:
    first = start(settings)
    before = record(settings)
    assert start(settings) == first
    assert record(settings) == before


def test_the_server_runs_in_its_own_session(settings: Settings) -> None:
    start(settings)
    assert os.getsid(record(settings)["pid"]) != os.getsid(0)


def test_data_and_port_survive_a_stop_and_a_start(settings: Settings) -> None:
    first = start(settings)
    with client(first) as redis_client:
        redis_client.set("stored", "yes")
    assert stop(settings)
    assert running(settings) is None
    second = start(settings)
    assert second == first
    with client(second) as redis_client:
        assert redis_client.get("stored") == "yes"


def test_data_survive_kill_9(settings: Settings) -> None:
    first = start(settings)
    with client(first) as redis_client:
        redis_client.set("stored", "yes")
        time.sleep(0.05)  # the server writes to the file in the next pass of its event loop
    pid = record(settings)["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)
    assert running(settings) is None
    with client(start(settings)) as redis_client:
        assert redis_client.get("stored") == "yes"
    assert record(settings)["pid"] != pid


def test_to_stop_a_server_that_does_not_run_is_no_error(settings: Settings) -> None:
    assert stop(settings) is False


def test_without_a_server_the_error_names_the_command_to_run(settings: Settings) -> None:
    with pytest.raises(NoRedis, match=r"python -m infra\.redis_server start"):
        endpoint(settings)


def test_an_endpoint_file_of_a_dead_process_is_replaced(settings: Settings) -> None:
    settings.redis_dir.mkdir(parents=True)
    dead = int(subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout)
    port = next(embedded.candidate_ports(None))
    (settings.redis_dir / "endpoint.json").write_text(json.dumps({"port": port, "pid": dead}))
    assert running(settings) is None
    at = start(settings)
    assert at.port == port
    assert record(settings)["pid"] != dead


@pytest.mark.parametrize("text", ["", "{", "[]", '{"port": 6379}'])
def test_an_unreadable_endpoint_file_counts_as_no_server(settings: Settings, text: str) -> None:
    settings.redis_dir.mkdir(parents=True)
    (settings.redis_dir / "endpoint.json").write_text(text)
    assert running(settings) is None


def test_another_redis_on_the_recorded_port_is_not_touched(settings: Settings, tmp_path: Path) -> None:
    others = settings_in(tmp_path / "other")
    other = start(others)
    try:
        settings.redis_dir.mkdir(parents=True)
        (settings.redis_dir / "endpoint.json").write_text(json.dumps({"port": other.port, "pid": os.getpid()}))
        assert running(settings) is None
        assert stop(settings) is False
        assert start(settings).port != other.port
        assert running(others) == other
    finally:
        stop(others)


def test_another_redis_whose_port_and_process_are_recorded_is_not_touched(settings: Settings, tmp_path: Path) -> None:
    others = settings_in(tmp_path / "other")
    other = start(others)
    try:
        settings.redis_dir.mkdir(parents=True)
        (settings.redis_dir / "endpoint.json").write_text(json.dumps(record(others)))
        assert running(settings) is None
        assert stop(settings) is False
        assert running(others) == other
    finally:
        stop(others)


def test_a_second_server_on_the_same_data_is_refused(settings: Settings) -> None:
    start(settings)
    saved = record(settings)
    file = settings.redis_dir / "endpoint.json"
    file.unlink()
    try:
        with pytest.raises(RedisServerFailed, match=f"kill {saved['pid']}"):
            start(settings)
    finally:
        file.write_text(json.dumps(saved))


def test_if_the_port_is_taken_during_the_start_another_port_is_used(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = settings_in(tmp_path / "other")
    taken = start(others).port
    free = next(embedded.candidate_ports(None))
    monkeypatch.setattr(embedded, "candidate_ports", lambda _: iter((taken, free)))
    try:
        assert start(settings).port == free
    finally:
        stop(others)


def test_the_error_of_a_broken_append_only_file_contains_the_log(settings: Settings) -> None:
    data = settings.redis_dir / "data"
    data.mkdir(parents=True)
    (data / "appendonly.aof").write_text("not an append only file\n" * 10)
    with pytest.raises(RedisServerFailed, match="Bad file format"):
        start(settings)


def test_a_state_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "state"
    blocked.write_text("")
    with pytest.raises(RedisServerFailed, match=str(blocked)):
        start(settings_in(blocked))


def test_a_configured_url_wins_and_nothing_is_started(tmp_path: Path) -> None:
    configured = settings_in(tmp_path, redis_url="redis://cache:6380/2", redis_timeout_s=0.5)
    assert start(configured) == endpoint(configured) == Endpoint("cache", 6380, 2, timeout_s=0.5)
    assert not configured.redis_dir.exists()


def test_the_redis_server_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = tmp_path / "redis-server"
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis_server.server_binary() == str(binary)


def test_the_command_starts_reports_and_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RERANK_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("RERANK_REDIS_URL", raising=False)
    try:
        assert redis_server.main(["status"]) == 1
        assert redis_server.main(["start"]) == 0
        assert redis_server.main(["status"]) == 0
    finally:
        assert redis_server.main(["stop"]) == 0
    assert "redis://127.0.0.1:" in capsys.readouterr().out


def test_there_are_two_servers_and_only_the_events_are_synced_before_each_answer(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, state_dir=tmp_path)
    try:
        features, events = start(settings, FEATURES), start(settings, EVENTS)
        assert features.port != events.port
        found = [server.client(5).config_get("appendfsync")["appendfsync"] for server in (features, events)]
        assert found == ["everysec", "always"]
        assert endpoint(settings, EVENTS) == events
    finally:
        stop(settings, FEATURES)
        stop(settings, EVENTS)
    assert running(settings, EVENTS) is None


def test_a_bad_url_of_the_events_redis_is_named_by_its_setting(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, state_dir=tmp_path, events_redis_url="http://cache/0")
    with pytest.raises(BadRedisUrl, match="RERANK_EVENTS_REDIS_URL"):
        endpoint(settings, EVENTS)
