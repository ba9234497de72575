"""Moves the entries of one stream into files, each exactly once: the part that all kinds of entries share.

A consumer group reads a batch, writes it (:mod:`feature_repo.live.accepted_files`), and then acknowledges and deletes
it. If a consumer is killed, its batch stays pending. The next consumer starts with that batch; the same entries make
the same files.

An entry that cannot be decoded, or does not fit into the log, is set aside in a stream of its own, with the reason, in
the step that acknowledges it. That stream keeps the newest DEAD_ENTRIES.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic

import msgspec
import redis

from feature_repo.live.accepted_files import UNWRITABLE, AcceptedFiles, Entry

GROUP, CONSUMER = "log", "drain"
BATCH = 10_000  # entries; at most one batch is pending
NEW, PENDING = ">", "0"
DEAD_ENTRIES = 10_000

log = logging.getLogger(__name__)

Fields = dict[bytes, bytes]


@dataclass
class Batch(Generic[Entry]):
    """Some entries of the stream.

    fields:  id -> fields of all entries
    entries: id -> (received timestamp in µs, entry)
    dead:    id -> the reason, of those that do not belong into the log
    """

    fields: dict[bytes, Fields]
    entries: dict[bytes, tuple[int, Entry]] = field(default_factory=dict)
    dead: dict[bytes, str] = field(default_factory=dict)

    @property
    def ids(self) -> list[bytes]:
        return list(self.fields)

    @property
    def accepted(self) -> list[tuple[int, Entry]]:
        return list(self.entries.values())

    def write(self, files: AcceptedFiles[Entry], live_dir: Path) -> None:
        first, last = self.ids[0].decode(), self.ids[-1].decode()
        try:
            files.write_batch(live_dir, first, last, self.accepted)
        except UNWRITABLE:
            self._set_aside_unwritable(files)
            files.write_batch(live_dir, first, last, self.accepted)

    def _set_aside_unwritable(self, files: AcceptedFiles[Entry]) -> None:
        for id, accepted in list(self.entries.items()):
            try:
                files.table([accepted])
            except UNWRITABLE as error:
                self.dead[id] = f"{type(error).__name__}: {error}"
                del self.entries[id]


class StreamDrain(ABC, Generic[Entry]):
    """``client``: of the Redis that holds ``stream`` and ``dead``, the stream of entries that are set aside."""

    def __init__(
        self, client: redis.Redis, stream: bytes, dead: bytes, files: AcceptedFiles[Entry], live_dir: Path
    ) -> None:
        self._client = client
        self._stream = stream
        self._dead = dead
        self._files = files
        self._live_dir = live_dir
        self._make_group()

    @abstractmethod
    def decode(self, fields: Fields) -> tuple[int, Entry]:
        """Received timestamp in µs, and the entry. Raises KeyError, ValueError, msgspec.MsgspecError."""

    @abstractmethod
    def write_rows(self, accepted: Sequence[tuple[int, Entry]]) -> None:
        """Write what the entries change in the feature store once more. Raises redis.RedisError."""

    def drain(self) -> int:
        """Drain all entries, batch by batch. Returns their number. Raises redis.RedisError, OSError."""
        drained = self._drain_batch(PENDING) or 0
        while (batch := self._drain_batch(NEW)) is not None:
            drained += batch
        return drained

    def _drain_batch(self, which: str) -> int | None:
        """The number of entries for the log, None without entries."""
        batch = self._read(which)
        if not batch.ids:
            return None
        batch.write(self._files, self._live_dir)
        self.write_rows(batch.accepted)
        with self._client.pipeline(transaction=True) as pipeline:
            for id, reason in batch.dead.items():
                set_aside: Any = {**batch.fields[id], b"entry": id, b"reason": reason.encode()}
                pipeline.xadd(self._dead, set_aside, maxlen=DEAD_ENTRIES, approximate=False)
            pipeline.xack(self._stream, GROUP, *batch.ids)
            pipeline.xdel(self._stream, *batch.ids)
            pipeline.execute()
        for id, reason in batch.dead.items():
            log.error("entry %s cannot be logged and is set aside in %s: %s", id.decode(), self._dead.decode(), reason)
        return len(batch.entries)

    def _read(self, which: str) -> Batch[Entry]:
        found: Any = self._client.xreadgroup(GROUP, CONSUMER, {self._stream: which}, count=BATCH)
        # An entry that was deleted while it was pending has no fields.
        batch: Batch[Entry] = Batch({id: fields for id, fields in (found[0][1] if found else []) if fields})
        for id, fields in batch.fields.items():
            try:
                batch.entries[id] = self.decode(fields)
            except (KeyError, ValueError, msgspec.MsgspecError) as error:
                batch.dead[id] = f"{type(error).__name__}: {error}"
        return batch

    def _make_group(self) -> None:
        try:
            self._client.xgroup_create(self._stream, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
