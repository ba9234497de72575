"""A session's row in Redis: the row encoder of a request writes the same as the batch writer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.definitions.views import ITEM_WINDOWS, SESSION_STATE
from feature_repo.live.event import LiveEvent, packed
from feature_repo.live.session_rows import replayed, session_command, session_rows
from feature_repo.online.newest_wins import script
from feature_repo.online.row_encoder import RowEncoder
from feature_repo.online.writer import NewestWinsWriter
from feature_repo.schema import Column, DType
from infra.redis_server.server import start, stop
from infra.settings import Settings

ACTIONS = ("view", "like", "add_to_cart", "remove_from_cart", "order", "search")
NOON_US = 1_709_294_400_000_000

events = st.builds(
    lambda number, action, item, offset_us, price, quantity: LiveEvent(
        event_id=f"e{number}",
        user_id="u",
        session_id="s",
        action=action,
        event_us=NOON_US + offset_us,
        item_id=item,
        price=price,
        quantity=quantity,
    ),
    st.integers(0, 10**6),
    st.sampled_from(ACTIONS),
    st.none() | st.text(min_size=1, max_size=9),
    st.integers(-(10**12), 10**12),
    st.none() | st.integers(0, 10**7),
    st.none() | st.integers(1, 10_000),
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    settings = Settings(_env_file=None, state_dir=Path(tmp_path_factory.mktemp("rows")))
    with start(settings).client(5) as made:
        made.script_load(script(len(SESSION_STATE.columns)))
        yield made
    stop(settings)


@given(live_events=st.lists(events, min_size=1, max_size=80), session=st.text(min_size=1, max_size=50))
def test_the_row_encoder_stores_the_same_as_the_batch_writer(
    client: redis.Redis, live_events: list[LiveEvent], session: str
) -> None:
    entries = [b"%d|%s" % (NOON_US + i * 7, packed(event)) for i, event in enumerate(live_events)]
    state = replayed(entries)
    client.flushdb()
    NewestWinsWriter(client).write(session_rows({session: state}, "shop"))
    (key,) = client.keys()
    expected = client.hgetall(key)
    client.flushdb()
    assert _send(client, session_command(RowEncoder(SESSION_STATE, "shop"), session, state)) == 1
    assert client.keys() == [key]
    assert client.hgetall(key) == expected


def test_an_older_row_does_not_win(client: redis.Redis) -> None:
    client.flushdb()
    entries = [b"%d|%s" % (NOON_US + i, packed(LiveEvent(event_id=f"{i}", user_id="u", session_id="s", action="view",
                                                         event_us=NOON_US))) for i in range(3)]  # fmt: skip
    rows = RowEncoder(SESSION_STATE, "shop")
    assert _send(client, session_command(rows, "s", replayed(entries))) == 1
    assert _send(client, session_command(rows, "s", replayed(entries[:2]))) == 0


def test_a_row_can_expire_with_either_writer(client: redis.Redis) -> None:
    event = LiveEvent(event_id="e", user_id="u", session_id="s", action="view", event_us=NOON_US)
    state = replayed([b"%d|%s" % (NOON_US, packed(event))])
    client.flushdb()
    _send(client, session_command(RowEncoder(SESSION_STATE, "shop", 100), "s", state))
    NewestWinsWriter(client, 100).write(session_rows({"t": state}, "shop"))
    keys = client.keys()
    assert len(keys) == 2
    assert all(90 <= int(client.ttl(key)) <= 100 for key in keys)


def test_a_view_with_columns_of_other_types_is_refused() -> None:
    RowEncoder(ITEM_WINDOWS, "shop")
    RowEncoder(SESSION_STATE, "shop")
    view = replace(SESSION_STATE, columns=(Column("name", DType.STRING, "text"),))
    with pytest.raises(KeyError):
        RowEncoder(view, "shop")


def _send(client: redis.Redis, command: bytes) -> int:
    connection = client.connection_pool.get_connection()
    connection.send_packed_command([command])
    reply: int = connection.read_response()
    client.connection_pool.release(connection)
    return reply
