"""The stream's consumer: it writes accepted events to the log's files, each exactly once, and their sessions' rows.

A consumer group reads a batch, writes it (:mod:`feature_repo.live.event_files`), and then acknowledges and deletes it.
If a consumer is killed, its batch stays pending. The next consumer starts with that batch; the same entries make the
same files. A lock allows only one consumer.

An entry that is no event of the log is set aside in a stream of its own, with the reason, in the step that acknowledges
it. That stream keeps the newest DEAD_ENTRIES.

The scorer writes the row of a session before it answers ``POST /events``. If it was killed before that, or if the
feature store was away, the row is missing. So the consumer writes the rows again; this is harmless, because the newest
row wins. While the feature store is away, the batch stays pending and later entries stay in the stream.
"""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import redis

from feature_repo.live.acceptance import RETENTION_S, EventKeys
from feature_repo.live.event import LiveEvent, unpacked
from feature_repo.live.event_files import UNWRITABLE, event_folder, event_table, write_batch
from feature_repo.live.session_rows import replayed, session_rows
from feature_repo.online.writer import NewestWinsWriter
from feature_repo.sessions import is_folded

GROUP, CONSUMER = "log", "drain"
BATCH = 10_000  # entries; at most one batch is pending
SESSIONS = 100  # number of sessions that are folded at once
NEW, PENDING = ">", "0"

DEAD_ENTRIES = 10_000

log = logging.getLogger(__name__)

Fields = dict[bytes, bytes]


@dataclass
class Batch:
    """Some entries of the stream.

    fields: id -> fields of all entries
    events: id -> (received timestamp in µs, event)
    dead:   id -> the reason, of the entries that are no events of the log
    """

    fields: dict[bytes, Fields]
    events: dict[bytes, tuple[int, LiveEvent]] = field(default_factory=dict)
    dead: dict[bytes, str] = field(default_factory=dict)

    @property
    def ids(self) -> list[bytes]:
        return list(self.fields)

    def decode(self) -> None:
        for id, fields in self.fields.items():
            try:
                self.events[id] = (int(fields[b"received"]), unpacked(fields[b"event"]))
            except (KeyError, ValueError, msgspec.MsgspecError) as error:
                self.dead[id] = f"{type(error).__name__}: {error}"

    def write(self, live_dir: Path) -> None:
        first, last = self.ids[0].decode(), self.ids[-1].decode()
        try:
            write_batch(live_dir, first, last, list(self.events.values()))
        except UNWRITABLE:
            self._set_aside_unwritable()
            write_batch(live_dir, first, last, list(self.events.values()))

    def _set_aside_unwritable(self) -> None:
        for id, accepted in list(self.events.items()):
            try:
                event_table([accepted])
            except UNWRITABLE as error:
                self.dead[id] = f"{type(error).__name__}: {error}"
                del self.events[id]


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
        drained = self._drain_batch(PENDING) or 0
        while (batch := self._drain_batch(NEW)) is not None:
            drained += batch
        return drained

    def _drain_batch(self, which: str) -> int | None:
        """The number of events, None without entries."""
        batch = self._read(which)
        if not batch.ids:
            return None
        batch.write(self._live_dir)
        self._write_sessions({event.session_id for _, event in batch.events.values() if is_folded(event.action)})
        with self._events.pipeline(transaction=True) as pipeline:
            for id, reason in batch.dead.items():
                set_aside: Any = {**batch.fields[id], b"entry": id, b"reason": reason.encode()}
                pipeline.xadd(self._keys.dead, set_aside, maxlen=DEAD_ENTRIES, approximate=False)
            pipeline.xack(self._keys.stream, GROUP, *batch.ids)
            pipeline.xdel(self._keys.stream, *batch.ids)
            pipeline.execute()
        for id, reason in batch.dead.items():
            log.error("entry %s is no event and is set aside in %s: %s", id.decode(), self._keys.dead.decode(), reason)
        return len(batch.events)

    def _read(self, which: str) -> Batch:
        found: Any = self._events.xreadgroup(GROUP, CONSUMER, {self._keys.stream: which}, count=BATCH)
        # An entry that was deleted while it was pending has no fields.
        batch = Batch({id: fields for id, fields in (found[0][1] if found else []) if fields})
        batch.decode()
        return batch

    def _write_sessions(self, sessions: set[str]) -> None:
        """Write some sessions at a time, because a session may have a thousand events."""
        names = sorted(sessions)
        for first in range(0, len(names), SESSIONS):
            self._write_rows(names[first : first + SESSIONS])

    def _write_rows(self, names: Sequence[str]) -> None:
        with self._events.pipeline(transaction=False) as pipeline:
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
