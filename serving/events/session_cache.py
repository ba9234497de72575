"""The folded sessions that this process saw lately, so that an event is folded without the session's earlier ones.

A session's list of events in the events' Redis is the truth. Only the events that are not folded here yet are read.
If the list is shorter than what is folded here, Redis was replaced, and the list is read whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from feature_repo.live.acceptance import EventKeys, redis_command
from feature_repo.live.session_rows import fold_entries
from feature_repo.sessions import Replay

MAX_EVENTS = 200_000  # of about 300 bytes


@dataclass(frozen=True)
class Query:
    """The commands that read the new events of some sessions, two each. ``known``: session -> events already folded."""

    known: dict[str, int]
    commands: Sequence[bytes]


class SessionCache:
    """The least recently used are evicted first. Not thread-safe."""

    def __init__(self, keys: EventKeys, max_events: int = MAX_EVENTS) -> None:
        self._keys = keys
        self._max_events = max_events
        self._events = 0
        self._states: dict[str, Replay] = {}

    def query(self, sessions: Iterable[str]) -> Query:
        known = {name: len(self._states.get(name, ())) for name in sessions}
        commands = []
        for name, first in known.items():
            key = self._keys.session(name)
            commands += [redis_command(b"LLEN", key), redis_command(b"LRANGE", key, b"%d" % first, b"-1")]
        return Query(known, commands)

    def read(self, query: Query, replies: Sequence[Any]) -> tuple[dict[str, Replay], list[str]]:
        """The states of the sessions that have events, and the sessions that must be read once more."""
        states: dict[str, Replay] = {}
        again = []
        for i, (name, first) in enumerate(query.known.items()):
            length, entries = replies[2 * i : 2 * i + 2]
            state = self._states.pop(name, None) or Replay()
            self._events -= len(state)
            if len(state) < first or length < len(state):  # evicted since, or of another Redis
                again.append(name)
                continue
            fold_entries(state, entries[len(state) - first :])
            if len(state):
                states[name] = self._states[name] = state  # the most recently used is last
                self._events += len(state)
        while self._events > self._max_events:
            self._events -= len(self._states.pop(next(iter(self._states))))
        return states, again

    def forget(self) -> None:
        self._states.clear()
        self._events = 0
