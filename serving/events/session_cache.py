"""The folded sessions that this process saw lately, so that an event is folded without the session's earlier ones.

A session's list of events in the events' Redis is the truth. It grows at its end, and what the session forgets leaves
it at its head. Only the entries that are not folded here yet are read. If the head is another one, the list is read
whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from feature_repo.live.acceptance import EventKeys, redis_command
from feature_repo.live.session_rows import fold_entries
from feature_repo.sessions import Replay

MAX_EVENTS = 200_000  # of about 300 bytes


@dataclass
class _Read:
    """``head``: the first entry of the list. ``entries``: the number of entries that were read."""

    head: bytes
    entries: int = 0
    state: Replay = field(default_factory=Replay)


@dataclass(frozen=True)
class Query:
    """The commands that read the new events of some sessions, two each. ``known``: session -> entries already read."""

    known: Mapping[str, int]
    commands: Sequence[bytes]


class SessionCache:
    """The least recently used are evicted first. Not thread-safe."""

    def __init__(self, keys: EventKeys, max_events: int = MAX_EVENTS) -> None:
        self._keys = keys
        self._max_events = max_events
        self._events = 0
        self._sessions: dict[str, _Read] = {}

    def query(self, sessions: Iterable[str]) -> Query:
        known = {name: self._sessions[name].entries if name in self._sessions else 0 for name in sessions}
        commands = []
        for name, first in known.items():
            key = self._keys.session(name)
            commands += [redis_command(b"LINDEX", key, b"0"), redis_command(b"LRANGE", key, b"%d" % first, b"-1")]
        return Query(known, commands)

    def read(self, query: Query, replies: Sequence[Any]) -> tuple[dict[str, Replay], list[str]]:
        """The states of the sessions that have events, and the sessions that must be read once more."""
        states: dict[str, Replay] = {}
        again = []
        for i, (name, first) in enumerate(query.known.items()):
            head, entries = replies[2 * i : 2 * i + 2]
            found = self._taken(name)
            if head is None:
                continue
            if found is None or found.head != head:
                found = _Read(head)
            if found.entries < first:  # the list forgot some, or this cache did
                again.append(name)
                continue
            new = entries[found.entries - first :]
            fold_entries(found.state, new)
            found.entries += len(new)
            self._sessions[name] = found  # the most recently used is last
            self._events += found.entries
            if len(found.state):
                states[name] = found.state
        while self._events > self._max_events:
            self._taken(next(iter(self._sessions)))
        return states, again

    def forget(self) -> None:
        self._sessions.clear()
        self._events = 0

    def _taken(self, name: str) -> _Read | None:
        """The session, which leaves the cache."""
        found = self._sessions.pop(name, None)
        if found is not None:
            self._events -= found.entries
        return found
