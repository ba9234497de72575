r"""Acceptance: one step in the events' Redis that counts an event once, dates it, and keeps it for session and log.

Keys of the events' Redis, all of one data set (one server, no Redis Cluster: a call touches several keys):

    rerank:<dataset>:events             stream of accepted events, until they are in the log
    rerank:<dataset>:event:<id>         fingerprint of the body that an event_id came with
    rerank:<dataset>:session:<id>       list of the session's folded events, in the order of their acceptance
    rerank:<dataset>:tail:<id>          the session's newest acceptance, its newest folded one, and its length
    rerank:<dataset>:newest_event_us    the newest acceptance of all, for the replay clock's next start

What is stamped is later than all that its session has, so that the order of acceptance is one for the live fold and
for the build. The rule of what is folded is that of :mod:`feature_repo.sessions`, applied here so that a list never
holds more; a session that has expired stays closed. All but the stream is kept for MEMORY_S after it was last
touched: by then neither a session goes on nor is an event sent again, or it counts as a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from feature_repo.live.event import LiveEvent, packed
from feature_repo.online.call_packing import bulk_string
from feature_repo.sessions import EXPIRY_US, MAX_EVENTS
from infra.redis_server import keys as redis_keys

EVENTS_PER_CALL = 50  # other clients wait for a call: about a millisecond
MEMORY_S = 7 * 24 * 3600  # in real time, also where the clock is replayed and stands still overnight

_SCRIPT = rb"""
-- KEYS: the stream, the newest acceptance, then of each event: its id's key, its session's list, its session's tail.
-- ARGV: now (microseconds), then of each event: fingerprint, packed event.
local call, now, found = redis.call, tonumber(ARGV[1]), {}
local known_newest = tonumber(call('GET', KEYS[2]) or '0')
local newest = known_newest
for i = 1, (#KEYS - 2) / 3 do
  local id, list, tail = KEYS[3 * i], KEYS[3 * i + 1], KEYS[3 * i + 2]
  local body, event = ARGV[2 * i], ARGV[2 * i + 1]
  local known = call('GET', id)
  if known then
    found[i] = known == body and 'duplicate' or 'conflict'
  else
    local state = call('HMGET', tail, 'received', 'folded', 'length')
    local length = tonumber(state[3] or '0')
    local received = math.max(now, tonumber(state[1] or '0') + 1)
    local stamp = string.format('%.0f', received)
    if length == 0 or (length < <most> and received <= tonumber(state[2]) + <expiry>) then
      call('RPUSH', list, stamp .. '|' .. event)
      call('EXPIRE', list, <memory_s>)
      call('HSET', tail, 'received', stamp, 'folded', stamp, 'length', length + 1)
    else
      call('HSET', tail, 'received', stamp)
    end
    call('EXPIRE', tail, <memory_s>)
    call('SET', id, body, 'EX', <memory_s>)
    call('XADD', KEYS[1], '*', 'received', stamp, 'event', event)
    newest = math.max(newest, received)
    found[i] = stamp
  end
end
if newest > known_newest then call('SET', KEYS[2], string.format('%.0f', newest)) end
return found
"""
SCRIPT = (
    _SCRIPT.replace(b"<most>", b"%d" % MAX_EVENTS)
    .replace(b"<expiry>", b"%d" % EXPIRY_US)
    .replace(b"<memory_s>", b"%d" % MEMORY_S)
)


@dataclass(frozen=True)
class Offered:
    """An event that may be accepted. ``body``: the fingerprint of what was sent."""

    event: LiveEvent
    body: bytes


Outcome = int | Literal["duplicate", "conflict"]
"""The moment of acceptance (µs since the epoch), or why there is none."""


@dataclass(frozen=True)
class EventKeys:
    """Names of the keys of one data set."""

    dataset: str

    @property
    def stream(self) -> bytes:
        return f"rerank:{self.dataset}:events".encode()

    @property
    def newest(self) -> bytes:
        return redis_keys.newest_event_us(self.dataset).encode()

    def event(self, event_id: str) -> bytes:
        return f"rerank:{self.dataset}:event:{event_id}".encode()

    def session(self, session_id: str) -> bytes:
        return f"rerank:{self.dataset}:session:{session_id}".encode()

    def tail(self, session_id: str) -> bytes:
        return f"rerank:{self.dataset}:tail:{session_id}".encode()


def accept_commands(keys: EventKeys, offered: Sequence[Offered], now_us: int) -> list[bytes]:
    """EVAL commands, each one step; their replies, one after the other, are read by :func:`outcomes`."""
    groups = [offered[first : first + EVENTS_PER_CALL] for first in range(0, len(offered), EVENTS_PER_CALL)]
    return [_command(keys, group, now_us) for group in groups]


def outcomes(replies: Iterable[Sequence[bytes]]) -> list[Outcome]:
    """What became of each offered event, in their order."""
    return [_outcome(each) for reply in replies for each in reply]


def words(*parts: bytes) -> bytes:
    """One command in Redis' protocol."""
    return b"*%d\r\n" % len(parts) + b"".join(map(bulk_string, parts))


def _command(keys: EventKeys, group: Sequence[Offered], now_us: int) -> bytes:
    names, arguments = [keys.stream, keys.newest], [b"%d" % now_us]
    for each in group:
        session = each.event.session_id
        names += (keys.event(each.event.event_id), keys.session(session), keys.tail(session))
        arguments += (each.body, packed(each.event))
    return words(b"EVAL", SCRIPT, b"%d" % len(names), *names, *arguments)


def _outcome(reply: bytes) -> Outcome:
    if reply == b"duplicate":
        return "duplicate"
    return "conflict" if reply == b"conflict" else int(reply)
