"""What users did, told to a scorer over a real store, and seen by its next score."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from feature_repo.live.acceptance import EventKeys
from feature_repo.live.drain import Drain
from feature_repo.live.event import LiveEvent, unpacked
from feature_repo.sessions import EXPIRY_US
from feature_repo.store import open_store
from infra.clock import ReplayClock
from infra.redis_server.server import EVENTS, endpoint, start, stop
from infra.settings import Settings
from serving.api.app import create_app
from tests.serving import world
from tests.serving.world import us


class Wall:
    """Seconds that can be wound forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def client(settings: Settings, wall: Wall) -> Iterator[TestClient]:
    with TestClient(create_app(settings, ReplayClock(world.NOW, time.time(), wall=wall))) as client:
        yield client


@pytest.fixture
def session() -> str:
    return f"session-{uuid4().hex}"


def event(session: str, action: str = "view", item: str | None = "a", **more: object) -> dict[str, object]:
    found = {"event_id": uuid4().hex, "user_id": "u", "session_id": session, "action": action, **more}
    return found if item is None else {**found, "item_id": item}


def tell(client: TestClient, *events: object) -> dict[str, object]:
    answer = client.post("/events", json={"events": events})
    assert answer.status_code == 202, answer.text
    found: dict[str, object] = answer.json()
    return found


def values(client: TestClient, session: str, item: str = "a") -> dict[str, float | None]:
    """What the next score is made of."""
    asked = {"user_id": "u", "session_id": session, "items": [{"item_id": item}, {"item_id": "z"}]}
    items = client.post("/explain", json=asked).json()["items"]
    found: dict[str, float | None] = next(each["values"] for each in items if each["item_id"] == item)
    return found


def kept(settings: Settings, session: str) -> list[tuple[int, LiveEvent]]:
    """The accepted events of the session in the stream, in its order, with their acceptance."""
    with endpoint(settings, EVENTS).client(5) as client:
        entries = client.xrange(EventKeys(settings.dataset).stream)
    found = [(int(entry[b"received"]), unpacked(entry[b"event"])) for _, entry in entries]
    return [each for each in found if each[1].session_id == session]


def accepted(count: int, duplicates: int = 0) -> dict[str, object]:
    return {"accepted": count, "duplicates": duplicates, "rejected": []}


def test_the_next_score_of_the_session_sees_what_was_accepted(client: TestClient, session: str) -> None:
    assert values(client, session)["session_carts"] is None
    assert tell(client, event(session, "view"), event(session, "add_to_cart", quantity=2)) == accepted(2)
    found = values(client, session)
    assert (found["session_views"], found["session_carts"], found["in_cart"]) == (1, 1, 1)
    assert found["session_cart_value"] == pytest.approx(2 * 1.1)
    assert found["touched_count"] == 2
    assert values(client, session, "b")["in_cart"] == 0
    tell(client, event(session, "order", None))
    assert (values(client, session)["session_orders"], values(client, session)["in_cart"]) == (1, 0)


def test_feasts_own_client_sees_the_same_row(client: TestClient, settings: Settings, session: str) -> None:
    tell(client, event(session, "add_to_cart", "b"), event(session, "like", "a"))
    names = ("session_carts", "session_likes", "cart_items", "recent_items", "recent_actions")
    asked = [f"session_state:{name}" for name in names]
    found = open_store(settings).get_online_features(asked, [{"session_id": session}]).to_dict()
    assert [found[name] for name in names] == [[1.0], [1.0], [["b"]], [["a", "b"]], [["like", "add_to_cart"]]]


def test_an_event_counts_once_however_often_it_is_sent(client: TestClient, settings: Settings, session: str) -> None:
    one = event(session, "view")
    assert tell(client, one, one) == accepted(1, duplicates=1)
    assert tell(client, dict(reversed(one.items()))) == accepted(0, duplicates=1)
    assert values(client, session)["session_views"] == 1
    assert len(kept(settings, session)) == 1


def test_a_known_id_with_another_body_is_a_conflict(client: TestClient, session: str) -> None:
    one = event(session, "view")
    tell(client, one)
    found = tell(client, event(session), {**one, "action": "like"})
    assert found["rejected"] == [{"index": 1, "reason": "event_id is known with another body"}]
    assert (found["accepted"], values(client, session)["session_likes"]) == (1, 0)


def test_a_moment_is_stamped_taken_or_refused(client: TestClient, settings: Settings, session: str) -> None:
    def at(seconds: float) -> str:
        return (world.NOW + timedelta(seconds=seconds)).isoformat()

    before = us(world.NOW)
    sent = [event(session), event(session, event_ts=at(-60.5)), event(session, event_ts=at(4)),
            event(session, event_ts=at(60))]  # fmt: skip
    found = tell(client, *sent)
    assert found["accepted"] == 3
    assert found["rejected"] == [{"index": 3, "reason": "event_ts is more than 5 s in the future"}]
    found_by_id = {each.event_id: (timestamp, each) for timestamp, each in kept(settings, session)}
    stamped, past, soon = (found_by_id[str(each["event_id"])] for each in sent[:3])
    assert past[1].event_us == before - 60_500_000
    assert before <= stamped[1].event_us <= stamped[0]
    assert before <= soon[1].event_us <= soon[0] < before + 3_500_000


def test_each_bad_event_is_rejected_by_its_index_and_field_and_the_others_are_accepted(
    client: TestClient, session: str
) -> None:
    good = event(session)
    bad: list[tuple[object, str]] = [
        ({**good, "event_id": ""}, "event_id"),
        ({**good, "event_id": 7}, "event_id"),
        ({**good, "user_id": "x" * 201}, "user_id"),
        ({**good, "session_id": "a\0b"}, "session_id"),
        ({**good, "action": "stare"}, "action must be one of impression, view"),
        (event(session, "view", None), "item_id is needed for view"),
        ({**good, "quantity": 0}, "quantity"),
        ({**good, "value": -1}, "value must be from 0"),
        ({**good, "value": "NaN"}, "value must be from 0"),
        ({**good, "event_ts": "2024-03-01T12:00:00"}, "event_ts"),
        ({**good, "event_ts": 5}, "event_ts"),
        ({**good, "shown_position": -1}, "shown_position"),
        ({**good, "colour": "red"}, "colour"),
        ({"event_id": "1"}, "user_id"),
        ("view", "object"),
        (None, "object"),
    ]
    found = tell(client, *(each for each, _ in bad), good)
    assert found["accepted"] == 1
    rejected = found["rejected"]
    assert isinstance(rejected, list)
    assert [each["index"] for each in rejected] == list(range(len(bad)))
    for each, (_, reason) in zip(rejected, bad, strict=True):
        assert reason in each["reason"]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"events": []}', b'{"events": {}}', b'{"events": [1], "x": 1}', b'{"events": [' * 9]
)
def test_a_body_that_is_no_list_of_events_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post("/events", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (422, "invalid_request")


def test_more_than_a_thousand_events_are_refused_whole(client: TestClient, settings: Settings, session: str) -> None:
    assert client.post("/events", json={"events": [event(session)] * 1001}).status_code == 422
    assert kept(settings, session) == []


def test_price_and_category_are_those_of_the_acceptance(client: TestClient, settings: Settings, session: str) -> None:
    tell(client, event(session, item="b", value=4.405), event(session, item="c"), event(session, item="nobody"))
    found = [(e.price, e.category_id, e.value) for _, e in kept(settings, session)]
    assert found == [(220, "bread", 440), (None, None, None), (None, None, None)]


def test_a_late_event_takes_its_place_and_makes_a_newer_row(
    client: TestClient, settings: Settings, session: str
) -> None:
    tell(client, event(session, "view", "a"))
    first = row_us(settings, session)
    tell(client, event(session, "like", "b", event_ts=(world.NOW - timedelta(minutes=1)).isoformat()))
    assert row_us(settings, session) > first
    assert values(client, session, "a")["touched_last"] == 1
    assert values(client, session)["session_age_s"] == pytest.approx(60, abs=5)


def row_us(settings: Settings, session: str) -> int:
    response = open_store(settings).get_online_features(["session_state:session_views"], [{"session_id": session}])
    timestamp: datetime = response.proto.results[-1].event_timestamps[0].ToDatetime(UTC)
    return us(timestamp)


def test_what_comes_after_a_session_expired_is_kept_and_not_folded(
    client: TestClient, settings: Settings, session: str, wall: Wall
) -> None:
    tell(client, event(session, "view"))
    last = row_us(settings, session)
    wall.ahead_s = EXPIRY_US / 1e6 + 1
    assert tell(client, event(session, "view"), event(session, "view")) == accepted(2)
    assert row_us(settings, session) == last
    assert len(kept(settings, session)) == 3
    assert values(client, session)["session_views"] is None


def test_a_session_folds_a_thousand_events_and_keeps_all(client: TestClient, settings: Settings, session: str) -> None:
    for _ in range(3):
        tell(client, *(event(session, "view") for _ in range(400)))
    assert values(client, session)["session_views"] == 1000
    received = [timestamp for timestamp, _ in kept(settings, session)]
    assert len(received) == 1200
    assert received == sorted(set(received))


def test_the_outcomes_are_counted(client: TestClient, session: str) -> None:
    one = event(session)
    tell(client, one, one, "no event")
    text = client.get("/metrics").text
    for outcome in ("accepted", "duplicate", "rejected"):
        assert f'rerank_events_total{{outcome="{outcome}"}} 1.0' in text


def test_without_the_events_redis_nothing_is_accepted_and_a_resend_counts_once(
    settings: Settings, session: str
) -> None:
    one = event(session)
    stop(settings, EVENTS)
    try:
        with TestClient(create_app(settings, ReplayClock(world.NOW, time.time()))) as client:
            refused = client.post("/events", json={"events": [one]})
            assert (refused.status_code, refused.json()["error"]["type"]) == (503, "events_not_kept")
            start(settings, EVENTS)
            deadline = time.monotonic() + 10
            while client.post("/events", json={"events": [one]}).status_code != 202:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert tell(client, one) == accepted(0, duplicates=1)
            assert values(client, session)["session_views"] == 1
    finally:
        start(settings, EVENTS)


def until_whole(client: TestClient) -> None:
    deadline = time.monotonic() + 15
    while client.post("/score", json={"items": [{"item_id": "a"}]}).json()["degraded"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_was_accepted_without_the_feature_store_is_made_up_for_by_the_consumer(
    settings: Settings, shared_client: TestClient, session: str, tmp_path
) -> None:
    stop(settings)
    try:
        with TestClient(create_app(settings, ReplayClock(world.NOW, time.time()))) as client:
            assert tell(client, event(session, "view")) == accepted(1)
    finally:
        start(settings)
        until_whole(shared_client)  # other tests go on with it
    with endpoint(settings, EVENTS).client(5) as events, endpoint(settings).client(5) as features:
        assert Drain(settings.dataset, tmp_path, events, features).drain() > 0
    with TestClient(create_app(settings, ReplayClock(world.NOW + timedelta(minutes=1), time.time()))) as client:
        assert values(client, session)["session_views"] == 1


def test_a_caller_that_hangs_up_amid_its_body_is_no_failure(settings: Settings, caplog) -> None:
    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    for path in ("/score", "/explain", "/events"):
        sent: list[dict[str, object]] = []
        scope = {"type": "http", "method": "POST", "path": path, "headers": [(b"content-type", b"application/json")],
                 "query_string": b"", "http_version": "1.1", "scheme": "http", "server": ("x", 1)}  # fmt: skip
        asyncio.run(create_app(settings, ReplayClock(world.NOW, time.time()))(scope, receive, send))
        assert sent[0]["status"] == 400
    assert "failed" not in caplog.text
