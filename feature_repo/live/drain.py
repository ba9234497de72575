"""The stream's consumer: it writes accepted events to the log's files, each exactly once, and their sessions' rows.

A consumer group reads a batch, writes it (:mod:`feature_repo.live.event_files`), and then acknowledges and deletes it.
If a consumer is killed, its batch stays pending. The next consumer starts with that batch; the same entries make the
same files. A lock allows only one consumer.

The scorer writes the row of a session before it answers ``POST /events``. If it was killed before that, or if the
feature store was away, the row is missing. So the consumer writes the rows again; this is harmless, because the newest
row wins. While the feature store is away, the batch stays pending and later entries stay in the stream.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import redis

from feature_repo.live.acceptance import RETENTION_S, EventKeys
from feature_repo.live.event import LiveEvent, unpacked
from feature_repo.live.event_files import event_folder, write_batch
from feature_repo.live.session_rows import replayed, session_rows
from feature_repo.online.writer import NewestWinsWriter

GROUP, CONSUMER = "log", "drain"
BATCH = 10_000  # entries; at most one batch is pending
SESSIONS = 100  # number of sessions that are folded at once
NEW, PENDING = ">", "0"

Entry = tuple[bytes, tuple[int, LiveEvent]]


class AlreadyDraining(RuntimeError):
    """Another consumer drains into the same folder."""


class Drain:
    """``events``: client of the events' Redis. ``features``: client of the feature store's Redis."""

    def __init__(self, dataset: str, live_dir: Path, events: redis.Redis, features: redis.Redis) -> None:
        self._dataset = dataset
        self._keys = EventKeys(dataset)
        self._live_dir = live_dir
        self._events = events
        self._writer = NewestWinsWriter(features, RETENTION_S)
        self._make_group()

    def drain(self) -> int:
        """Drain all entries, batch by batch. Returns the number of events. Raises redis.RedisError, OSError."""
        drained = self._drain_batch(PENDING)
        while batch := self._drain_batch(NEW):
            drained += batch
        return drained

    def _drain_batch(self, which: str) -> int:
        entries = self._read(which)
        if not entries:
            return 0
        ids = [entry[0] for entry in entries]
        events = [entry[1] for entry in entries]
        write_batch(self._live_dir, ids[0].decode(), ids[-1].decode(), events)
        self._write_sessions({event.session_id for _, event in events})
        with self._events.pipeline(transaction=True) as pipeline:
            pipeline.xack(self._keys.stream, GROUP, *ids)
            pipeline.xdel(self._keys.stream, *ids)
            pipeline.execute()
        return len(entries)

    def _read(self, which: str) -> list[Entry]:
        found: Any = self._events.xreadgroup(GROUP, CONSUMER, {self._keys.stream: which}, count=BATCH)
        entries = found[0][1] if found else []
        # An entry that was deleted while it was pending has no fields.
        return [(id, (int(entry[b"received"]), unpacked(entry[b"event"]))) for id, entry in entries if entry]

    def _write_sessions(self, sessions: set[str]) -> None:
        """Write some sessions at a time, because a session may have a thousand events."""
        names = sorted(sessions)
        for first in range(0, len(names), SESSIONS):
            self._write_rows(names[first : first + SESSIONS])

    def _write_rows(self, names: Sequence[str]) -> None:
        with self._events.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.lrange(self._keys.session(name), 0, -1)
            lists = cast("Sequence[Sequence[bytes]]", pipeline.execute())
        states = {name: replayed(entries) for name, entries in zip(names, lists, strict=True) if entries}
        if states:
            self._writer.write(session_rows(states, self._dataset))

    def _make_group(self) -> None:
        try:
            self._events.xgroup_create(self._keys.stream, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise


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
