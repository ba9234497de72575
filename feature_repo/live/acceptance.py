r"""Acceptance of events: one atomic step in the events' Redis.

The step accepts each event_id only once, gives the event its received timestamp, and stores it for the session and for
the log. The keys of one data set are below. They need one server, not a Redis Cluster, because a call uses several
keys.

    rerank:<dataset>:events             stream of accepted events, until they are in the log
    rerank:<dataset>:dead_events        stream of entries that the consumer could not decode (feature_repo.live.drain)
    rerank:<dataset>:event:<id>         fingerprint of the body that was sent with an event_id
    rerank:<dataset>:session:<id>       list of the session's folded events, in the order of their acceptance
    rerank:<dataset>:tail:<id>          the received timestamp of the last of them, and the length of the list
    rerank:<dataset>:newest_event_us    the newest received timestamp of all sessions, for the start of the replay clock

The received timestamps of a session's folded events strictly increase, so that the live fold and the build see the same
order. The script applies the rule of :mod:`feature_repo.sessions`: an impression goes to the stream alone, and what a
session forgets leaves its list. So a list is never longer than MAX_EVENTS. All keys but the streams expire RETENTION_S
after their last write. After that an event with the same id counts as new.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from feature_repo.live.event import LiveEvent, packed
from feature_repo.online.call_packing import bulk_string
from feature_repo.sessions import EXPIRY_US, KEPT_EVENTS, MAX_EVENTS, is_folded
from infra.redis_server import keys as redis_keys

EVENTS_PER_CALL = 50  # a call blocks other clients for about a millisecond
RETENTION_S = 7 * 24 * 3600  # real time, also with a replay clock

_SCRIPT = rb"""
-- KEYS: the stream, the newest received timestamp, the stream of dead entries, then per event: the id's key, the
-- session's list and its tail.
-- ARGV: now (microseconds), then per event: fingerprint, packed event, '1' if it is folded.
-- Returns what became of each event, then three numbers: see Backlog.
local call, now, found, forgotten = redis.call, tonumber(ARGV[1]), {}, 0
local known_newest = tonumber(call('GET', KEYS[2]) or '0')
local newest = known_newest
for i = 1, #KEYS / 3 - 1 do
  local id, list, tail = KEYS[3 * i + 1], KEYS[3 * i + 2], KEYS[3 * i + 3]
  local body, event = ARGV[3 * i - 1], ARGV[3 * i]
  local known = call('GET', id)
  if known then
    found[i] = known == body and 'duplicate' or 'conflict'
  else
    local is_folded, received = ARGV[3 * i + 1] == '1', now
    if is_folded then
      local state = call('HMGET', tail, 'received', 'length')
      local last, length = tonumber(state[1] or '0'), tonumber(state[2] or '0')
      received = math.max(now, last + 1)
      if length > 0 and received > last + <expiry> then
        call('DEL', list)
      elseif length >= <max_events> then
        call('LTRIM', list, -<kept_events>, -1)
        forgotten = forgotten + length - <kept_events>
      end
    end
    local stamp = string.format('%.0f', received)
    if is_folded then
      local length = call('RPUSH', list, stamp .. '|' .. event)
      call('EXPIRE', list, <retention_s>)
      call('HSET', tail, 'received', stamp, 'length', length)
      call('EXPIRE', tail, <retention_s>)
    end
    call('SET', id, body, 'EX', <retention_s>)
    call('XADD', KEYS[1], '*', 'received', stamp, 'event', event)
    newest = math.max(newest, received)
    found[i] = stamp
  end
end
if newest > known_newest then call('SET', KEYS[2], string.format('%.0f', newest)) end
local n = #found
found[n + 1], found[n + 2], found[n + 3] = forgotten, call('XLEN', KEYS[1]), call('XLEN', KEYS[3])
return found
"""


def script_of(max_events: int, kept_events: int) -> bytes:
    """The script, with these limits of a session."""
    values = {"max_events": max_events, "kept_events": kept_events, "expiry": EXPIRY_US, "retention_s": RETENTION_S}
    script = _SCRIPT
    for name, value in values.items():
        script = script.replace(b"<%s>" % name.encode(), b"%d" % value)
    return script


SCRIPT = script_of(MAX_EVENTS, KEPT_EVENTS)


@dataclass(frozen=True)
class Offered:
    """An event to be accepted. ``body``: the fingerprint of the body that was sent."""

    event: LiveEvent
    body: bytes


@dataclass(frozen=True)
class Backlog:
    """forgotten: number of events that full sessions forgot in these calls
    waiting:   number of accepted events that are not in the log yet
    dead:      number of entries that the consumer set aside
    """

    forgotten: int
    waiting: int
    dead: int


Outcome = int | Literal["duplicate", "conflict"]
"""The received timestamp (µs since the epoch), or why the event was not accepted."""


@dataclass(frozen=True)
class EventKeys:
    """The names of the Redis keys of one data set."""

    dataset: str

    @property
    def stream(self) -> bytes:
        return f"rerank:{self.dataset}:events".encode()

    @property
    def dead(self) -> bytes:
        return f"rerank:{self.dataset}:dead_events".encode()

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
    """EVAL commands, each one atomic step. :func:`outcomes` reads their replies."""
    groups = [offered[first : first + EVENTS_PER_CALL] for first in range(0, len(offered), EVENTS_PER_CALL)]
    return [_command(keys, group, now_us) for group in groups]


def outcomes(replies: Iterable[Sequence[bytes]]) -> list[Outcome]:
    """The outcome of each offered event, in order."""
    return [_outcome(value) for reply in replies for value in reply[:-3]]


def backlog(replies: Sequence[Sequence[int]]) -> Backlog:
    """After these replies, of which there must be one at least."""
    return Backlog(sum(reply[-3] for reply in replies), *replies[-1][-2:])


def redis_command(*parts: bytes) -> bytes:
    """One command as bytes of the Redis protocol."""
    return b"*%d\r\n" % len(parts) + b"".join(map(bulk_string, parts))


def _command(keys: EventKeys, group: Sequence[Offered], now_us: int) -> bytes:
    names, arguments = [keys.stream, keys.newest, keys.dead], [b"%d" % now_us]
    for offered in group:
        session = offered.event.session_id
        names += (keys.event(offered.event.event_id), keys.session(session), keys.tail(session))
        arguments += (offered.body, packed(offered.event), b"1" if is_folded(offered.event.action) else b"0")
    return redis_command(b"EVAL", SCRIPT, b"%d" % len(names), *names, *arguments)


def _outcome(reply: bytes) -> Outcome:
    if reply == b"duplicate":
        return "duplicate"
    return "conflict" if reply == b"conflict" else int(reply)
