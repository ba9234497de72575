"""The script's lists of a session, folded, equal the fold of all accepted events, at any step."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_repo import sessions
from feature_repo.live import acceptance
from feature_repo.live.acceptance import Backlog, EventKeys, Offered, accept_commands, backlog, outcomes, script_of
from feature_repo.live.event import LiveEvent, fingerprint, session_event
from feature_repo.live.session_rows import replayed
from feature_repo.sessions import EXPIRY_US, KEPT_EVENTS, MAX_EVENTS, Session, features, fold
from serving.events.session_cache import SessionCache

NOON_US = 1_709_294_400_000_000
KEYS = EventKeys("shop")


ARRIVALS = st.lists(
    st.tuples(
        st.sampled_from(["view", "add_to_cart", "order", "impression", "search"]),
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 90),  # seconds before its receipt
        st.sampled_from([0, 0, 1, 1_000_000, EXPIRY_US - 1, EXPIRY_US, EXPIRY_US + 1]),  # µs since the previous one
        st.booleans(),  # sent with the previous ones
    ),
    min_size=1,
    max_size=40,
)


@given(arrivals=ARRIVALS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_list_and_the_scorers_cache_equal_the_naive_fold_at_every_step(
    client: redis.Redis, arrivals: list[tuple[str, str, int, int, bool]]
) -> None:
    client.flushall()
    cache, state, now_us, calls = SessionCache(KEYS), Session(), NOON_US, [[]]
    for number, (action, item, ago, later, together) in enumerate(arrivals):
        now_us += later
        event = LiveEvent(
            event_id=f"e{number:03d}", user_id="u", session_id="s", action=action, item_id=item,
            event_us=now_us - ago * 1_000_000,
        )  # fmt: skip
        if not together:
            calls.append([])
        calls[-1].append((now_us, event))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "MAX_EVENTS", 6)
        patch.setattr(sessions, "KEPT_EVENTS", 3)
        patch.setattr(acceptance, "SCRIPT", script_of(6, 3))
        for call in filter(None, calls):
            accepted = send(client, call[-1][0], [event for _, event in call])
            for (_, event), received_us in zip(call, accepted, strict=True):
                state = fold(state, session_event(received_us, event))
            entries = client.lrange(KEYS.session("s"), 0, -1)
            cached = read(client, cache)
            assert len(entries) == len(state.events) <= 6
            if entries:
                assert replayed(entries).features() == features(state) == cached.features()
                assert replayed(entries).row_us == state.row_us == cached.row_us


def test_the_reply_tells_how_many_events_a_full_session_forgot_and_how_many_wait(client: redis.Redis) -> None:
    client.flushall()
    client.xadd(KEYS.dead, {"entry": "1-1"})
    for number in range(MAX_EVENTS):
        assert backlog(send_one(client, f"{number}")) == Backlog(forgotten=0, waiting=number + 1, dead=1)
    assert backlog(send_one(client, "one more")) == Backlog(MAX_EVENTS - KEPT_EVENTS, MAX_EVENTS + 1, 1)
    assert client.llen(KEYS.session("s")) == KEPT_EVENTS + 1


def test_every_key_but_the_stream_and_the_newest_timestamp_expires(client: redis.Redis) -> None:
    client.flushall()
    events = [
        LiveEvent(event_id="a", user_id="u", session_id="s", action="view", event_us=NOON_US),
        LiveEvent(event_id="b", user_id="u", session_id="t", action="impression", event_us=NOON_US, item_id="i"),
    ]
    send(client, NOON_US, events)
    lasting = {key for key in client.scan_iter() if client.ttl(key) == -1}
    assert lasting == {KEYS.stream, KEYS.newest}
    assert set(client.keys()) - lasting == {KEYS.event("a"), KEYS.event("b"), KEYS.session("s"), KEYS.tail("s")}


def offered(events: list[LiveEvent]) -> list[Offered]:
    return [Offered(event, fingerprint(event)) for event in events]


def send(client: redis.Redis, now_us: int, events: list[LiveEvent]) -> list[int]:
    found = outcomes([execute(client, command) for command in accept_commands(KEYS, offered(events), now_us)])
    assert all(isinstance(each, int) for each in found)
    return [int(each) for each in found]


def send_one(client: redis.Redis, event_id: str) -> list[Any]:
    event = LiveEvent(event_id=event_id, user_id="u", session_id="s", action="view", event_us=NOON_US)
    return [execute(client, command) for command in accept_commands(KEYS, offered([event]), NOON_US)]


def read(client: redis.Redis, cache: SessionCache) -> sessions.Replay:
    """The state in the scorer's cache, after the new entries were read."""
    query = cache.query(["s"])
    states, again = cache.read(query, [execute(client, command) for command in query.commands])
    if again:
        query = cache.query(again)
        states, again = cache.read(query, [execute(client, command) for command in query.commands])
    assert not again
    return states.get("s", sessions.Replay())


def execute(client: redis.Redis, command: bytes) -> Any:
    connection = client.connection_pool.get_connection()
    connection.send_packed_command([command])
    reply = connection.read_response()
    client.connection_pool.release(connection)
    return reply
