"""Redis is paused, killed and started again under a scorer: every answer is in time, and features return."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient

from infra.clock import FixedClock
from infra.redis_server.server import endpoint, start, stop
from serving.api.app import create_app
from tests.serving import world

DEADLINE_S = 2.0  # twice what an outage takes to be noticed, for a busy machine
BODY = {"user_id": "u", "session_id": "s", "items": [{"item_id": i} for i in "ab"]}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    made = world.settings_in(tmp_path_factory.mktemp("degraded"), deadline_ms=int(DEADLINE_S * 1000))
    start(made)
    world.fill_store(made)
    world.register(made, world.small_model())
    yield made
    stop(made)


@pytest.fixture(scope="module")
def client(settings):
    with TestClient(create_app(settings, FixedClock(world.NOW))) as client:
        yield client


def pid(settings):
    return json.loads((settings.redis_dir / "endpoint.json").read_text())["pid"]


@contextmanager
def occupied(port):
    """While this lasts, no server can bind the port."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of the last server may still close
        taken.bind(("127.0.0.1", port))
        taken.listen()
        yield


def timed_score(client):
    started = time.monotonic()
    answer = client.post("/score", json=BODY)
    assert answer.status_code == 200
    assert time.monotonic() - started < DEADLINE_S
    return answer.json()


def until_whole(client):
    until = time.monotonic() + 15
    while time.monotonic() < until:
        body = timed_score(client)
        if not body["degraded"]:
            return body
        time.sleep(0.05)
    raise AssertionError("the answers stay degraded")


def check_of(client, name):
    return next(check for check in client.get("/readyz").json()["checks"] if check["name"] == name)


def test_while_redis_is_paused_answers_are_degraded_and_in_time_and_then_whole_again(settings, client):
    before = until_whole(client)
    os.kill(pid(settings), signal.SIGSTOP)
    try:
        paused = [timed_score(client) for _ in range(5)]
        with ThreadPoolExecutor(30) as crowd:
            paused += list(crowd.map(lambda _: timed_score(client), range(60)))
        readyz = client.get("/readyz")
    finally:
        os.kill(pid(settings), signal.SIGCONT)
    assert all(body["degraded"] for body in paused)
    assert paused[0]["missing"] == {"items": 2, "user": True, "session": True}
    assert {item["item_id"] for item in paused[0]["items"]} == {"a", "b"}
    assert readyz.status_code == 503
    assert until_whole(client)["items"] == before["items"]
    assert check_of(client, "redis")["ok"]


def test_without_redis_answers_are_degraded_and_after_its_restart_whole_again(settings, client):
    before = until_whole(client)
    os.kill(pid(settings), signal.SIGKILL)
    assert timed_score(client)["degraded"]
    assert not check_of(client, "redis")["ok"]
    start(settings)
    assert until_whole(client)["items"] == before["items"]
    assert check_of(client, "features")["ok"]


def test_a_redis_that_starts_again_at_another_port_is_found(settings, client):
    before, port = until_whole(client), endpoint(settings).port
    stop(settings)
    assert timed_score(client)["degraded"]
    with occupied(port):
        assert start(settings).port != port
        assert until_whole(client)["items"] == before["items"]


def test_a_scorer_that_starts_before_its_redis_connects_to_it_later(settings):
    stop(settings)
    with TestClient(create_app(settings, FixedClock(world.NOW))) as client:
        assert timed_score(client)["degraded"]
        assert check_of(client, "model")["ok"]
        start(settings)
        assert until_whole(client)["missing"] == {"items": 0, "user": False, "session": False}


def test_degraded_answers_are_counted(client):
    text = client.get("/metrics").text
    count = next(line for line in text.splitlines() if line.startswith("rerank_degraded_total"))
    assert float(count.split()[1]) > 60
