"""What /readyz says of stores that answer and are of no use."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient

from infra.clock import FixedClock
from infra.redis_server.server import EVENTS, FEATURES, endpoint, start, stop
from serving.api.app import create_app
from tests.serving import world
from tests.serving.world import NOW

BODY = {"user_id": "u", "session_id": "s", "items": [{"item_id": i} for i in "abc"]}


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """Servers that the tests may spoil."""
    made = world.settings_in(tmp_path_factory.mktemp("readiness"))
    start(made)
    start(made, EVENTS)
    world.register(made, world.small_model())
    yield made
    stop(made)
    stop(made, EVENTS)


@pytest.fixture
def filled(mine):
    world.fill_store(mine)
    return mine


def api(settings, **changes):
    return TestClient(create_app(settings.model_copy(update=changes), FixedClock(NOW)))


def ready(client):
    """The status, and each check by its name."""
    answer = client.get("/readyz")
    return answer.status_code, {check["name"]: check for check in answer.json()["checks"]}


@contextmanager
def configured(settings, role, name, value):
    with endpoint(settings, role).client(5) as client:
        (before,) = client.config_get(name).values()
        client.config_set(name, value)
        try:
            yield
        finally:
            client.config_set(name, before)


@pytest.mark.parametrize(("needs", "status"), [(("store",), 503), ((), 200)])
def test_an_emptied_feature_store_is_named_and_the_cache_does_not_hide_it(filled, needs, status):
    with api(filled, ready_needs=needs) as client:
        assert client.post("/score", json=BODY).json()["missing"] == {"items": 0, "user": False, "session": False}
        assert ready(client)[0] == 200
        with endpoint(filled).client(5) as redis:
            redis.flushall()
        found, checks = ready(client)
        assert (found, checks["store"]["ok"]) == (status, False)
        assert "no materialization of complete_journey" in checks["store"]["message"]
        assert checks["redis"]["ok"]
        answer = client.post("/score", json=BODY).json()
        assert answer["missing"] == {"items": 3, "user": True, "session": True}
        world.fill_store(filled)
        assert ready(client)[1]["store"]["ok"]


@pytest.mark.parametrize("role", [EVENTS, FEATURES], ids=lambda role: role.name)
@pytest.mark.parametrize(("needs", "status"), [((), 200), (("events",), 503)])
def test_a_redis_that_takes_no_writes_is_named(filled, role, needs, status):
    with api(filled, ready_needs=needs) as client:
        assert ready(client)[1]["events"] == {"name": "events", "ok": True, "message": "can be written"}
        with configured(filled, role, "maxmemory", "1"):
            found, checks = ready(client)
        assert (found, checks["events"]["ok"]) == (status, False)
        assert "maxmemory" in checks["events"]["message"]
        assert ready(client)[0] == 200


def test_a_read_only_replica_is_named(filled):
    with api(filled, ready_needs=("events",)) as client, endpoint(filled, EVENTS).client(5) as redis:
        redis.replicaof("127.0.0.1", 1)
        try:
            found, checks = ready(client)
        finally:
            redis.replicaof("NO", "ONE")
    assert (found, checks["events"]["ok"]) == (503, False)
    assert "read only replica" in checks["events"]["message"]


def test_an_events_redis_that_may_lose_events_is_named_at_the_start_and_later(filled, caplog):
    with configured(filled, EVENTS, "appendfsync", "everysec"), api(filled) as client:
        status, checks = ready(client)
    assert (status, checks["events"]["ok"]) == (200, False)
    assert "set appendfsync always" in checks["events"]["message"]
    assert "set appendfsync always" in caplog.text


def test_without_an_events_redis_lists_are_scored_and_the_check_says_so(filled):
    stop(filled, EVENTS)
    try:
        with api(filled) as client:
            status, checks = ready(client)
            assert client.post("/score", json=BODY).status_code == 200
    finally:
        start(filled, EVENTS)
    assert (status, checks["events"]["ok"]) == (200, False)
    assert "no Redis" in checks["events"]["message"]
