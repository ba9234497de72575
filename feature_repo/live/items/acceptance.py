r"""Acceptance of changes of items: one atomic step in the events' Redis.

The step accepts each change_id only once, gives the change its received timestamp, merges it with the newest known row
of its item, and stores both for the log. The keys of one data set are below.

    rerank:<dataset>:item_changes        stream of accepted changes, until they are in the log
    rerank:<dataset>:dead_item_changes   stream of entries that the consumer could not decode
    rerank:<dataset>:item_change:<id>    fingerprint of the body that was sent with a change_id
    rerank:<dataset>:item:<id>           the item's row after its last accepted change, and when that was received
    rerank:<dataset>:newest_event_us     the newest received timestamp, of events and changes

The received timestamps of an item's changes strictly increase. The caller sends the item's row in the feature store
with each change. It is used if it is newer than the row of the item's last change; that one is valid 1 µs after it was
received. So two changes that are accepted at once by two scorers are merged one after the other. All keys but the
streams expire RETENTION_S after their last write; a row is in the feature store much longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from feature_repo.live.acceptance import EVENTS_PER_CALL, RETENTION_S, redis_command
from feature_repo.live.items.change import ItemChange, Texts, packed, unpacked_texts
from infra.redis_server import keys as redis_keys

SCRIPT = rb"""
-- KEYS: the stream, the newest received timestamp, the stream of dead entries, then per change: the id's key and the
-- item's key.
-- ARGV: now (microseconds), then per change: fingerprint, packed change, its values, the stored row, and the event
-- timestamp of the stored row (0 without a row). Values and rows are JSON with texts and nulls alone.
-- Returns what became of each change, then how many entries wait, and how many are dead.
local call, now, found = redis.call, tonumber(ARGV[1]), {}
local known_newest = tonumber(call('GET', KEYS[2]) or '0')
local newest = known_newest
for i = 1, (#KEYS - 3) / 2 do
  local id, item, a = KEYS[2 * i + 2], KEYS[2 * i + 3], 5 * i - 3
  local body, change, values, stored, stored_us = ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], tonumber(ARGV[a + 4])
  local known = call('GET', id)
  if known then
    found[i] = known == body and 'duplicate' or 'conflict'
  else
    local state = call('HMGET', item, 'received', 'row')
    local last = tonumber(state[1] or '-1')
    local row = cjson.decode(state[2] and last + 1 >= stored_us and state[2] or stored)
    for name, value in pairs(cjson.decode(values)) do row[name] = value end
    local merged = cjson.encode(row)
    local received = math.max(now, last + 1)
    local stamp = string.format('%.0f', received)
    call('HSET', item, 'received', stamp, 'row', merged)
    call('EXPIRE', item, <retention_s>)
    call('SET', id, body, 'EX', <retention_s>)
    call('XADD', KEYS[1], '*', 'received', stamp, 'change', change, 'row', merged)
    newest = math.max(newest, received)
    found[i] = {stamp, merged}
  end
end
if newest > known_newest then call('SET', KEYS[2], string.format('%.0f', newest)) end
local n = #found
found[n + 1], found[n + 2] = call('XLEN', KEYS[1]), call('XLEN', KEYS[3])
return found
""".replace(b"<retention_s>", b"%d" % RETENTION_S)


@dataclass(frozen=True)
class StoredRow:
    """An item's row in the feature store. ``event_us``: 0 without a row."""

    event_us: int
    row: Texts


@dataclass(frozen=True)
class OfferedChange:
    """A change to be accepted. ``body``: the fingerprint of the body that was sent."""

    change: ItemChange
    body: bytes
    stored: StoredRow


@dataclass(frozen=True)
class Merged:
    """What an accepted change became. ``row``: all attributes of the item after it."""

    received_us: int
    row: Texts

    @property
    def row_us(self) -> int:
        """The event timestamp of the row."""
        return self.received_us + 1


@dataclass(frozen=True)
class Backlog:
    """waiting: number of accepted changes that are not in the log yet
    dead:    number of entries that the consumer set aside
    """

    waiting: int
    dead: int


Outcome = Merged | Literal["duplicate", "conflict"]


@dataclass(frozen=True)
class ItemKeys:
    """The names of the Redis keys of one data set."""

    dataset: str

    @property
    def stream(self) -> bytes:
        return f"rerank:{self.dataset}:item_changes".encode()

    @property
    def dead(self) -> bytes:
        return f"rerank:{self.dataset}:dead_item_changes".encode()

    @property
    def newest(self) -> bytes:
        return redis_keys.newest_event_us(self.dataset).encode()

    def change(self, change_id: str) -> bytes:
        return f"rerank:{self.dataset}:item_change:{change_id}".encode()

    def item(self, item_id: str) -> bytes:
        return f"rerank:{self.dataset}:item:{item_id}".encode()


def accept_commands(keys: ItemKeys, offered: Sequence[OfferedChange], now_us: int) -> list[bytes]:
    """EVAL commands, each one atomic step. :func:`outcomes` reads their replies."""
    groups = [offered[first : first + EVENTS_PER_CALL] for first in range(0, len(offered), EVENTS_PER_CALL)]
    return [_command(keys, group, now_us) for group in groups]


def outcomes(replies: Iterable[Sequence[bytes | list[bytes]]]) -> list[Outcome]:
    """The outcome of each offered change, in order."""
    return [_outcome(value) for reply in replies for value in reply[:-2]]


def backlog(replies: Sequence[Sequence[int]]) -> Backlog:
    """After these replies, of which there must be one at least."""
    return Backlog(*replies[-1][-2:])


def _command(keys: ItemKeys, group: Sequence[OfferedChange], now_us: int) -> bytes:
    names, arguments = [keys.stream, keys.newest, keys.dead], [b"%d" % now_us]
    for offered in group:
        change, stored = offered.change, offered.stored
        names += (keys.change(change.change_id), keys.item(change.item_id))
        arguments += (offered.body, packed(change), packed(change.values), packed(stored.row), b"%d" % stored.event_us)
    return redis_command(b"EVAL", SCRIPT, b"%d" % len(names), *names, *arguments)


def _outcome(reply: bytes | list[bytes]) -> Outcome:
    if isinstance(reply, list):
        return Merged(int(reply[0]), unpacked_texts(reply[1]))
    return "duplicate" if reply == b"duplicate" else "conflict"
