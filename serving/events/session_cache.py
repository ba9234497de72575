"""The folded sessions that this process has seen lately, so that an event costs its own folding and not its session's.

What a session's list in the events' Redis holds beyond what is known here is read and folded; the list is the truth,
and is read whole where it is shorter than what is known, which is that of another Redis then.
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
class Question:
    """The commands that ask for the news of some sessions, two for each; ``known``: where their news begin."""

    known: dict[str, int]
    commands: Sequence[bytes]


class SessionStates:
    """The least recently used are forgotten first. Not for threads."""

    def __init__(self, keys: EventKeys, max_events: int = MAX_EVENTS) -> None:
        self._keys = keys
        self._max_events = max_events
        self._events = 0
        self._states: dict[str, Replay] = {}

    def question(self, sessions: Iterable[str]) -> Question:
        known = {name: len(self._states.get(name, ())) for name in sessions}
        commands = []
        for name, first in known.items():
            key = self._keys.session(name)
            commands += [redis_command(b"LLEN", key), redis_command(b"LRANGE", key, b"%d" % first, b"-1")]
        return Question(known, commands)

    def answer(self, question: Question, replies: Sequence[Any]) -> tuple[dict[str, Replay], list[str]]:
        """The states of the sessions that have events, and the sessions that must be asked for once more."""
        states: dict[str, Replay] = {}
        again = []
        for position, (name, first) in enumerate(question.known.items()):
            length, entries = replies[2 * position : 2 * position + 2]
            state = self._states.pop(name, None) or Replay()
            self._events -= len(state)
            if len(state) < first or length < len(state):  # forgotten meanwhile, or of another Redis
                again.append(name)
                continue
            fold_entries(state, entries[len(state) - first :])
            if len(state):
                states[name] = self._states[name] = state  # the most recently used stands last
                self._events += len(state)
        while self._events > self._max_events:
            self._events -= len(self._states.pop(next(iter(self._states))))
        return states, again

    def forget(self) -> None:
        self._states.clear()
        self._events = 0
