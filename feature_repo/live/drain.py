"""The consumer of accepted events: it writes them to the log's files, and their sessions' rows.

The scorer writes the row of a session before it answers ``POST /events``. If it was killed before that, or if the
feature store was away, the row is missing. So the consumer writes the rows again; this is harmless, because the newest
row wins. While the feature store is away, the batch stays pending and later entries stay in the stream.

A lock allows only one consumer of all streams.
"""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import redis

from feature_repo.live.acceptance import RETENTION_S, EventKeys
from feature_repo.live.event import LiveEvent, unpacked
from feature_repo.live.event_files import EVENTS, event_folder
from feature_repo.live.session_rows import replayed, session_rows
from feature_repo.live.stream_drain import Fields, StreamDrain
from feature_repo.online.writer import NewestWinsWriter
from feature_repo.sessions import is_folded

SESSIONS = 100  # number of sessions that are folded at once

log = logging.getLogger(__name__)


class AlreadyDraining(RuntimeError):
    """Another consumer drains into the same folder."""


class Drain(StreamDrain[LiveEvent]):
    """``events``: client of the events' Redis. ``features``: client of the feature store's Redis."""

    def __init__(self, dataset: str, live_dir: Path, events: redis.Redis, features: redis.Redis) -> None:
        self._dataset = dataset
        self._keys = EventKeys(dataset)
        self._writer = NewestWinsWriter(features, RETENTION_S)
        super().__init__(events, self._keys.stream, self._keys.dead, EVENTS, live_dir)

    def decode(self, fields: Fields) -> tuple[int, LiveEvent]:
        return int(fields[b"received"]), unpacked(fields[b"event"])

    def write_rows(self, accepted: Sequence[tuple[int, LiveEvent]]) -> None:
        """Write some sessions at a time, because a session may have a thousand events."""
        names = sorted({event.session_id for _, event in accepted if is_folded(event.action)})
        for first in range(0, len(names), SESSIONS):
            self._write_sessions(names[first : first + SESSIONS])

    def _write_sessions(self, names: Sequence[str]) -> None:
        with self._client.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.lrange(self._keys.session(name), 0, -1)
            lists = pipeline.execute(raise_on_error=False)
        states = {name: replayed(self._entries(name, found)) for name, found in zip(names, lists, strict=True)}
        known = {name: state for name, state in states.items() if len(state)}
        if known:
            self._writer.write(session_rows(known, self._dataset))

    def _entries(self, session_id: str, found: Sequence[bytes] | redis.RedisError) -> Sequence[bytes]:
        """A list that Redis cannot give, such as one that was replaced by another type, must not stop all others."""
        if isinstance(found, redis.ResponseError):
            log.error("the events of session %r cannot be read: %s", session_id, found)
            return []
        if isinstance(found, redis.RedisError):
            raise found
        return found


@contextmanager
def sole_consumer(live_dir: Path) -> Iterator[None]:
    """The lock of the consumer. Raises AlreadyDraining."""
    folder = event_folder(live_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".drain.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyDraining(f"another consumer is already draining into {folder}") from None
        yield
