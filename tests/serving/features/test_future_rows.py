"""Rows from the future that another client wrote are not used, count as missing, and a metric names their view."""

from __future__ import annotations

from datetime import datetime

import pytest
from fastapi.testclient import TestClient
from feast.infra.online_stores.redis import RedisOnlineStore

from feature_repo.online.store import ServedRedisOnlineStore
from feature_repo.store import open_store
from infra.clock import FixedClock
from infra.redis_server.server import endpoint, start, stop
from serving.api.app import create_app
from serving.features.feast_reader import FeastReader
from serving.features.reading import Keys
from tests.serving import world
from tests.serving.blocking_reader import BlockingRedisReader

FAR = datetime.fromisoformat("2099-01-01T00:00:00+00:00")
BODY = {"user_id": "u", "session_id": "s", "items": [{"item_id": item} for item in "abc"]}
ROWS = {
    "user_windows": {"user_id": "u", "user_orders_all": 9.0},
    "session_state": {"session_id": "s", "session_views": 9.0},
    "item_attributes": {"item_id": "a", "price": 9.0},
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    made = world.settings_in(tmp_path_factory.mktemp("future"))
    start(made)
    world.fill_store(made)
    world.register(made, world.small_model())
    yield made
    stop(made)


@pytest.fixture(params=[*ROWS])
def view(request, settings, monkeypatch):
    """A view with one row from the future, written as Feast's own Redis store writes it."""
    monkeypatch.setattr(ServedRedisOnlineStore, "online_write_batch", RedisOnlineStore.online_write_batch)
    world.write_row(settings, request.param, FAR, **ROWS[request.param])
    yield request.param
    with endpoint(settings).client(5) as client:
        client.flushall()
    world.fill_store(settings)


def test_the_entity_counts_as_missing_and_the_view_is_named_in_a_metric(settings, view):
    with TestClient(create_app(settings, FixedClock(world.NOW))) as client:
        missing = client.post("/score", json=BODY).json()["missing"]
        text = client.get("/metrics").text
    assert missing == {
        "items": 1 if view == "item_attributes" else 0,
        "user": view == "user_windows",
        "session": view == "session_state",
    }
    assert f'rerank_future_rows_total{{view="{view}"}} 1.0' in text


def test_both_readers_say_so(settings, view):
    keys = Keys("u", "s", list("abc"), world.us(world.NOW))
    redis = BlockingRedisReader(endpoint(settings), world.DECLARATION, settings.dataset)
    feast = FeastReader(open_store(settings, offline=False), world.DECLARATION)
    try:
        assert redis.read(keys).missing == feast.read(keys).missing
    finally:
        redis.close()


def test_rows_of_the_present_are_neither_missing_nor_counted(settings):
    with TestClient(create_app(settings, FixedClock(world.NOW))) as client:
        assert client.post("/score", json=BODY).json()["missing"] == {"items": 0, "user": False, "session": False}
        assert "rerank_future_rows_total{" not in client.get("/metrics").text
