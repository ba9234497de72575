"""Events sent to a scorer over a real store; its next score reads them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
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


@dataclass
class Wall:
    """A replay clock that a test can set forward."""

    clock: ReplayClock
    ahead_s: float = 0.0
    mode: str = "replay"

    def now(self) -> datetime:
        return self.clock.now() + timedelta(seconds=self.ahead_s)

    def at(self, machine_us: int) -> datetime:
        return self.clock.at(machine_us) + timedelta(seconds=self.ahead_s)


@pytest.fixture
def wall() -> Wall:
    return Wall(ReplayClock(world.NOW, time.time()))


@pytest.fixture
def client(settings: Settings, wall: Wall) -> Iterator[TestClient]:
    with TestClient(create_app(settings, wall)) as client:
        yield client


@pytest.fixture
def session() -> str:
    return f"session-{uuid4().hex}"


def event(session: str, action: str = "view", item: str | None = "a", **more: object) -> dict[str, object]:
    found = {"event_id": uuid4().hex, "user_id": "u", "session_id": session, "action": action, **more}
    return found if item is None else {**found, "item_id": item}


def send_events(client: TestClient, *events: object) -> dict[str, object]:
    answer = client.post("/events", json={"events": events})
    assert answer.status_code == 202, answer.text
    found: dict[str, object] = answer.json()
    return found


def values(client: TestClient, session: str, item: str = "a") -> dict[str, float | None]:
    """The feature values of the next score."""
    body = {"user_id": "u", "session_id": session, "items": [{"item_id": item}, {"item_id": "z"}]}
    items = client.post("/explain", json=body).json()["items"]
    found: dict[str, float | None] = next(each["values"] for each in items if each["item_id"] == item)
    return found


def stored_events(settings: Settings, session: str) -> list[tuple[int, LiveEvent]]:
    """(time of acceptance, event) of the session's accepted events, in the order of the stream."""
    with endpoint(settings, EVENTS).client(5) as client:
        entries = client.xrange(EventKeys(settings.dataset).stream)
    found = [(int(entry[b"received"]), unpacked(entry[b"event"])) for _, entry in entries]
    return [each for each in found if each[1].session_id == session]


def accepted(count: int, duplicates: int = 0) -> dict[str, object]:
    return {"accepted": count, "duplicates": duplicates, "rejected": []}


def test_the_next_score_of_the_session_reads_its_accepted_events(client: TestClient, session: str) -> None:
    assert values(client, session)["session_carts"] is None
    assert send_events(client, event(session, "view"), event(session, "add_to_cart", quantity=2)) == accepted(2)
    found = values(client, session)
    assert (found["session_views"], found["session_carts"], found["in_cart"]) == (1, 1, 1)
    assert found["session_cart_value"] == pytest.approx(2 * 1.1)
    assert found["touched_count"] == 2
    assert values(client, session, "b")["in_cart"] == 0
    send_events(client, event(session, "order", None))
    assert (values(client, session)["session_orders"], values(client, session)["in_cart"]) == (1, 0)


def test_feasts_own_client_reads_the_same_row(client: TestClient, settings: Settings, session: str) -> None:
    send_events(client, event(session, "add_to_cart", "b"), event(session, "like", "a"))
    names = ("session_carts", "session_likes", "cart_items", "recent_items", "recent_actions")
    references = [f"session_state:{name}" for name in names]
    found = open_store(settings).get_online_features(references, [{"session_id": session}]).to_dict()
    assert [found[name] for name in names] == [[1.0], [1.0], [["b"]], [["a", "b"]], [["like", "add_to_cart"]]]


def test_an_event_counts_once_however_often_it_is_sent(client: TestClient, settings: Settings, session: str) -> None:
    one = event(session, "view")
    assert send_events(client, one, one) == accepted(1, duplicates=1)
    assert send_events(client, dict(reversed(one.items()))) == accepted(0, duplicates=1)
    assert values(client, session)["session_views"] == 1
    assert len(stored_events(settings, session)) == 1


def test_a_known_id_with_another_body_is_a_conflict(client: TestClient, session: str) -> None:
    one = event(session, "view")
    send_events(client, one)
    found = send_events(client, event(session), {**one, "action": "like"})
    assert found["rejected"] == [{"index": 1, "reason": "event_id is known with another body"}]
    assert (found["accepted"], values(client, session)["session_likes"]) == (1, 0)


def test_an_event_without_a_timestamp_gets_the_present_one_and_one_in_the_far_future_is_rejected(
    client: TestClient, settings: Settings, session: str
) -> None:
    def at(seconds: float) -> str:
        return (world.NOW + timedelta(seconds=seconds)).isoformat()

    before = us(world.NOW)
    sent = [event(session), event(session, event_ts=at(-60.5)), event(session, event_ts=at(4)),
            event(session, event_ts=at(120))]  # fmt: skip
    found = send_events(client, *sent)
    assert found["accepted"] == 3
    (rejected,) = found["rejected"]
    assert rejected["index"] == 3
    assert "ahead of the service's clock (replay, now 20" in rejected["reason"]
    found_by_id = {each.event_id: (timestamp, each) for timestamp, each in stored_events(settings, session)}
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
        ({**good, "event_id": 7.5}, "event_id"),
        ({**good, "user_id": "x" * 201}, "user_id"),
        ({**good, "session_id": "a\0b"}, "session_id"),
        ({**good, "action": "stare"}, "action must be one of impression, view"),
        (event(session, "view", None), "item_id is needed for view"),
        ({**good, "quantity": 0}, "quantity"),
        ({**good, "value": -1}, "value must be from 0"),
        ({**good, "value": "NaN"}, "value must be a number from 0"),
        ({**good, "event_ts": "2024-03-01T12:00:00"}, "event_ts"),
        ({**good, "event_ts": 5}, "event_ts"),
        ({**good, "shown_position": -1}, "shown_position"),
        ({**good, "colour": "red"}, "colour"),
        ({"event_id": "1"}, "user_id"),
        ("view", "object"),
        (None, "object"),
    ]
    found = send_events(client, *(each for each, _ in bad), good)
    assert found["accepted"] == 1
    rejected = found["rejected"]
    assert isinstance(rejected, list)
    assert [each["index"] for each in rejected] == list(range(len(bad)))
    for each, (_, reason) in zip(rejected, bad, strict=True):
        assert reason in each["reason"]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"events": []}', b'{"events": {}}', b'{"events": [1], "x": 1}', b'{"events": [' * 9]
)
def test_a_body_that_is_not_a_list_of_events_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post("/events", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (422, "invalid_request")


def test_a_body_of_more_than_a_thousand_events_is_refused(client: TestClient, settings: Settings, session: str) -> None:
    assert client.post("/events", json={"events": [event(session)] * 1001}).status_code == 422
    assert stored_events(settings, session) == []


def test_an_event_gets_the_price_and_category_that_its_item_has_when_it_is_accepted(
    client: TestClient, settings: Settings, session: str
) -> None:
    send_events(client, event(session, item="b", value=4.405), event(session, item="c"), event(session, item="nobody"))
    found = [(e.price, e.category_id, e.value) for _, e in stored_events(settings, session)]
    assert found == [(220, "bread", 440), (None, None, None), (None, None, None)]


def test_a_late_event_is_folded_at_its_timestamp_and_the_session_gets_a_newer_row(
    client: TestClient, settings: Settings, session: str
) -> None:
    send_events(client, event(session, "view", "a"))
    first = row_us(settings, session)
    send_events(client, event(session, "like", "b", event_ts=(world.NOW - timedelta(minutes=1)).isoformat()))
    assert row_us(settings, session) > first
    assert values(client, session, "a")["touched_last"] == 1
    assert values(client, session)["session_age_s"] == pytest.approx(60, abs=5)


def row_us(settings: Settings, session: str) -> int:
    response = open_store(settings).get_online_features(["session_state:session_views"], [{"session_id": session}])
    timestamp: datetime = response.proto.results[-1].event_timestamps[0].ToDatetime(UTC)
    return us(timestamp)


def test_an_event_after_the_expiry_begins_the_session_anew_under_the_same_id(
    client: TestClient, settings: Settings, session: str, wall: Wall
) -> None:
    send_events(client, event(session, "add_to_cart"))
    last = row_us(settings, session)
    wall.ahead_s = EXPIRY_US / 1e6 + 1
    assert values(client, session)["session_carts"] is None
    assert send_events(client, event(session, "view"), event(session, "view")) == accepted(2)
    assert row_us(settings, session) > last + EXPIRY_US
    assert len(stored_events(settings, session)) == 3
    found = values(client, session)
    assert (found["session_views"], found["session_carts"], found["in_cart"]) == (2, 0, 0)


def test_a_full_session_keeps_its_newest_events_and_all_are_stored(
    client: TestClient, settings: Settings, session: str
) -> None:
    for _ in range(3):
        send_events(client, *(event(session, "view") for _ in range(400)))
    send_events(client, event(session, "like"), event(session, "add_to_cart", "b"))
    found = values(client, session)
    assert (found["session_views"], found["session_likes"], found["session_carts"]) == (700, 1, 1)
    received = [timestamp for timestamp, _ in stored_events(settings, session)]
    assert len(received) == 1202
    assert received == sorted(set(received))
    text = client.get("/metrics").text
    assert "rerank_forgotten_session_events_total 500.0" in text
    with endpoint(settings, EVENTS).client(5) as redis:
        assert f"rerank_events_waiting {float(redis.xlen(EventKeys(settings.dataset).stream))}" in text
    assert "rerank_events_dead 0.0" in text


def test_impressions_are_stored_and_leave_the_session_as_it_is(
    client: TestClient, settings: Settings, session: str
) -> None:
    def shown(count: int) -> list[dict[str, object]]:
        return [event(session, "impression", f"i{number}") for number in range(count)]

    assert send_events(client, *shown(40)) == accepted(40)
    assert values(client, session)["session_items"] is None
    send_events(client, event(session, "view"))
    last = row_us(settings, session)
    for _ in range(25):
        send_events(client, *shown(40))
    assert row_us(settings, session) == last
    send_events(client, event(session, "add_to_cart", "b"), event(session, "order", "a"))
    found = values(client, session)
    assert [found[f"session_{name}"] for name in ("items", "carts", "orders", "cart_size")] == [2, 1, 1, 1]
    assert len(stored_events(settings, session)) == 1043


def test_the_outcomes_are_counted(client: TestClient, session: str) -> None:
    one = event(session)
    send_events(client, one, one, "no event")
    text = client.get("/metrics").text
    for outcome in ("accepted", "duplicate", "rejected"):
        assert f'rerank_events_total{{outcome="{outcome}"}} 1.0' in text


def test_without_the_events_redis_nothing_is_accepted_and_an_event_sent_again_counts_once(
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
            assert send_events(client, one) == accepted(0, duplicates=1)
            assert values(client, session)["session_views"] == 1
    finally:
        start(settings, EVENTS)


def until_whole(client: TestClient) -> None:
    deadline = time.monotonic() + 15
    while client.post("/score", json={"items": [{"item_id": "a"}]}).json()["degraded"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_consumer_writes_the_sessions_of_events_that_were_accepted_without_the_feature_store(
    settings: Settings, shared_client: TestClient, session: str, tmp_path
) -> None:
    stop(settings)
    try:
        with TestClient(create_app(settings, ReplayClock(world.NOW, time.time()))) as client:
            assert send_events(client, event(session, "view")) == accepted(1)
    finally:
        start(settings)
        until_whole(shared_client)  # other tests use it after this one
    with endpoint(settings, EVENTS).client(5) as events, endpoint(settings).client(5) as features:
        assert Drain(settings.dataset, tmp_path, events, features).drain() > 0
    with TestClient(create_app(settings, ReplayClock(world.NOW + timedelta(minutes=1), time.time()))) as client:
        assert values(client, session)["session_views"] == 1


def test_a_client_that_disconnects_while_it_sends_its_body_causes_no_error_in_the_log(
    settings: Settings, caplog
) -> None:
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


def test_a_call_is_accepted_only_if_an_event_of_it_is(client: TestClient, session: str) -> None:
    def answered(*events: object) -> tuple[int, int, int, list[int]]:
        answer = client.post("/events", json={"events": events})
        body = answer.json()
        return answer.status_code, body["accepted"], body["duplicates"], [each["index"] for each in body["rejected"]]

    good, bad = event(session), event(session, action="jump")
    assert answered(bad, {}) == (422, 0, 0, [0, 1])
    assert answered(bad, good) == (202, 1, 0, [0])
    assert answered(good) == (202, 0, 1, [])
    assert answered(bad, good) == (202, 0, 1, [0])
    assert answered({**good, "action": "like"}) == (422, 0, 0, [0])  # a known id with another body
