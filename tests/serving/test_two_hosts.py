"""Two scorers on machines whose clocks differ, over one store: what one accepted, the other's next request reads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from uuid import uuid4

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from feast import ValueType

from feature_repo.online.redis_format import decoding
from feature_repo.online.redis_format.entity_keys import redis_keys
from infra.clock import ReplayClock
from infra.redis_server.server import endpoint
from infra.settings import Settings
from serving.api.app import create_app
from serving.features.reading import Keys
from serving.features.redis_reader import RedisReader
from serving.redis_client.connection import connect
from tests.serving import world

BEHIND, EXACT, AHEAD = -0.2, 0.0, 0.2
STARTED = time.time()


def clock(error_s: float) -> ReplayClock:
    """The service's clock on a machine whose own clock is wrong by ``error_s``."""
    return ReplayClock(world.NOW, STARTED, wall=lambda: time.time() + error_s)


def event(session: str, action: str = "view", item: str | None = "a") -> dict[str, object]:
    found = {"event_id": uuid4().hex, "user_id": "u", "session_id": session, "action": action}
    return found if item is None else {**found, "item_id": item}


@pytest.mark.parametrize("item", ["a", None])
@pytest.mark.parametrize(("acceptor", "scorer"), [(AHEAD, EXACT), (EXACT, BEHIND), (AHEAD, BEHIND), (BEHIND, AHEAD)])
def test_the_newest_row_of_a_session_is_read_by_a_scorer_whose_clock_is_behind(
    settings: Settings, acceptor: float, scorer: float, item: str | None
) -> None:
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(TestClient(create_app(settings, clock(error)))) for error in (acceptor, scorer)
        )
        for number in range(1, 6):
            session = f"hosts-{uuid4().hex}"
            action = "view" if item else "search"
            sent = one.post("/events", json={"events": [event(session, action, item) for _ in range(number)]})
            assert sent.json()["accepted"] == number
            answer = other.post("/explain", json={"session_id": session, "items": [{"item_id": "a"}]}).json()
            assert not answer["missing"]["session"]
            assert answer["items"][0]["values"]["session_views"] == (number if item else 0)


@pytest.mark.parametrize("user", [{}, {"user_id": "u"}])
@pytest.mark.parametrize(("acceptor", "scorer"), [(EXACT, BEHIND), (AHEAD, BEHIND), (BEHIND, AHEAD)])
def test_a_changed_item_is_read_by_a_scorer_whose_clock_is_behind(
    settings: Settings, acceptor: float, scorer: float, user: dict[str, str]
) -> None:
    """Also for a request without a user, whose time is that of the scorer's machine unless a row is newer."""
    item = f"item-{uuid4().hex}"
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(TestClient(create_app(settings, clock(error)))) for error in (acceptor, scorer)
        )
        for price in range(1, 6):
            sent = one.post("/items", json={"items": [{"item_id": item, "price": price}] * price})
            assert sent.json()["accepted"] == price
            answer = other.post("/explain", json={**user, "items": [{"item_id": item}]}).json()
            assert answer["missing"]["items"] == 0
            assert answer["items"][0]["values"]["price"] == price


def test_both_machines_give_a_request_the_stores_time(settings: Settings) -> None:
    body = {"user_id": "u", "items": [{"item_id": "a"}]}
    with ExitStack() as stack:
        apps = [stack.enter_context(TestClient(create_app(settings, clock(error)))) for error in (BEHIND, AHEAD)] * 5
        found = [datetime.fromisoformat(app.post("/score", json=body).json()["scored_at"]) for app in apps]
    assert found == sorted(found)


def test_no_row_that_can_be_read_is_in_the_future_of_its_store(settings: Settings) -> None:
    """Of many events of one session, each is received a microsecond later than the one before."""
    session, seen, is_over = f"burst-{uuid4().hex}", [], threading.Event()
    (key,) = redis_keys({"session_id": (pa.array([session]), ValueType.STRING)}, settings.dataset).to_pylist()

    def look() -> None:
        with endpoint(settings).client(5) as redis:
            while not is_over.is_set():
                with redis.pipeline(transaction=True) as pipeline:
                    stored, (seconds, microseconds) = pipeline.hget(key, "_ts:session_state").time().execute()
                if stored:
                    service = world.us(clock(EXACT).at(seconds * 1_000_000 + microseconds))
                    seen.append(service - int(decoding.event_us([stored])[0]))

    looking = threading.Thread(target=look)
    with TestClient(create_app(settings, clock(AHEAD))) as client:
        looking.start()
        for _ in range(4):
            client.post("/events", json={"events": [event(session) for _ in range(250)]}).raise_for_status()
        is_over.set()
        looking.join()
    assert len(seen) > 10
    assert min(seen) >= 0


def test_the_stores_time_costs_no_call(settings: Settings) -> None:
    assert calls_of(settings, lambda _: world.us(world.NOW)) == calls_of(settings, None) >= 1


def calls_of(settings: Settings, service_us: Callable[[int], int] | None) -> int:
    """How many calls a second reading makes, when the items are cached."""

    async def count() -> int:
        reader = RedisReader(world.DECLARATION, settings.dataset, 1 << 20)
        reader.cache.is_coherent = True
        connection = await connect(endpoint(settings))
        calls = []
        call = connection.call
        keys = Keys("u", "s", ["a", "b"], world.us(world.NOW), service_us=service_us)
        await reader.read(keys, connection)
        connection.call = lambda packed, replies: (calls.append(replies), call(packed, replies))[1]
        await reader.read(keys, connection)
        connection.close()
        return len(calls)

    return asyncio.run(count())


def test_without_user_and_session_the_time_is_this_machines(settings: Settings) -> None:
    app = create_app(settings, clock(AHEAD))
    with TestClient(app) as client:
        answer = client.post("/score", json={"items": [{"item_id": "a"}]}).json()
    assert abs(datetime.fromisoformat(answer["scored_at"]) - clock(AHEAD).now()) < timedelta(seconds=60)
