"""The script's merged rows equal the naive merge, at any step and in any order of stores and changes."""

from __future__ import annotations

from typing import Any

import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_repo.live.event import fingerprint
from feature_repo.live.items.acceptance import (
    Backlog,
    ItemKeys,
    Merged,
    OfferedChange,
    Outcome,
    StoredRow,
    accept_commands,
    backlog,
    outcomes,
)
from feature_repo.live.items.change import ItemChange, Texts, unpacked
from infra.redis_server.keys import newest_event_us

NOON_US = 1_709_294_400_000_000
KEYS = ItemKeys("shop")


def send(client: redis.Redis, now_us: int, offered: list[OfferedChange]) -> tuple[list[Outcome], Backlog]:
    connection: Any = client.connection_pool.get_connection()
    commands = accept_commands(KEYS, offered, now_us)
    connection.send_packed_command([b"".join(commands)])
    replies = [connection.read_response() for _ in commands]
    client.connection_pool.release(connection)
    return outcomes(replies), backlog(replies)


def offer(id: str, item: str, values: Texts, stored: StoredRow | None = None) -> OfferedChange:
    change = ItemChange(change_id=id, item_id=item, values=values)
    return OfferedChange(change, fingerprint(change), stored or StoredRow(0, {}))


VALUES = st.dictionaries(
    st.sampled_from(["price", "brand", "a_b"]),
    st.one_of(st.none(), st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=9)),
    max_size=3,
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["i", "j"]),
        VALUES.filter(len),
        st.integers(0, 3),  # µs since the step before
        st.one_of(st.none(), st.tuples(st.integers(0, 4), VALUES)),  # a row of the store: µs ago, values
    ),
    min_size=1,
    max_size=25,
)


@given(steps=STEPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_each_change_is_merged_with_the_newer_of_the_stored_row_and_the_last_change(
    client: redis.Redis, steps: list[tuple[str, Texts, int, tuple[int, Texts] | None]]
) -> None:
    client.flushall()
    now_us, newest = NOON_US, {}
    for number, (item, values, later, written) in enumerate(steps):
        now_us += later
        stored = StoredRow(now_us - written[0], written[1]) if written else StoredRow(0, {})
        last_us, last_row = newest.get(item, (-1, {}))
        base = last_row if last_us + 1 >= stored.event_us else stored.row
        expected = Merged(max(now_us, last_us + 1), {**base, **values})
        (found,), _ = send(client, now_us, [offer(f"c{number}", item, values, stored)])
        assert found == expected
        newest[item] = (expected.received_us, expected.row)
    entries = client.xrange(KEYS.stream)
    assert [unpacked(entry[b"change"], entry[b"row"]).change.change_id for _, entry in entries] == [
        f"c{number}" for number in range(len(steps))
    ]
    last = unpacked(entries[-1][1][b"change"], entries[-1][1][b"row"])
    assert last.row == newest[steps[-1][0]][1]
    assert int(client.get(newest_event_us("shop"))) == max(received_us for received_us, _ in newest.values())


def test_a_change_is_accepted_once_and_another_body_is_a_conflict(client: redis.Redis) -> None:
    client.flushall()
    one, other = offer("c", "i", {"price": "1.00"}), offer("c", "i", {"price": "2.00"})
    found, waiting = send(client, NOON_US, [one, one, other])
    assert found == [Merged(NOON_US, {"price": "1.00"}), "duplicate", "conflict"]
    assert waiting == Backlog(waiting=1, dead=0)


def test_many_changes_of_one_item_get_increasing_timestamps(client: redis.Redis) -> None:
    client.flushall()
    found, _ = send(client, NOON_US, [offer(f"c{i}", "i", {"price": f"{i}.00"}) for i in range(120)])
    assert [each.received_us for each in found if isinstance(each, Merged)] == [NOON_US + i for i in range(120)]
    assert [each.row_us for each in found if isinstance(each, Merged)][-1] == NOON_US + 120
