"""The files of the score log: each complete or absent, and all of them together below a cap.

When the cap is reached the oldest files go, whichever worker wrote them: what is audited and learnt from next is the
newest. A disk that is full or a folder that cannot be written costs the records of that file, never a request.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.live.score_records import SCHEMA, ScoreRecord, batch_of

RecordOutcome = Literal["written", "dropped", "failed", "removed"]
Tell = Callable[[RecordOutcome, int], None]
"""Is told what became of so many records."""

MEGABYTE = 1 << 20
GROUP_BYTES = MEGABYTE // 4  # of Arrow data in a row group
ABANDONED_S = 600.0  # after which a partial file is that of a process that ended
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

log = logging.getLogger(__name__)


class ScoreFiles:
    """One worker's files below ``folder``, where other workers write theirs. ``max_bytes``: of all together;
    ``rest``: leaves the core to others for a moment."""

    def __init__(self, folder: Path, worker: str, max_bytes: int, tell: Tell, rest: Callable[[], object]) -> None:
        self.worker = worker
        self.tell = tell
        self._folder = folder
        self._max_bytes = max_bytes
        self._rest = rest
        self._written = 0

    def write(self, day: int, batches: Sequence[pa.RecordBatch]) -> None:
        """One file of the UTC day ``day`` (days since the epoch). What cannot be written is counted and given up."""
        table = pa.Table.from_batches(batches, SCHEMA)
        records = len(table)
        group = max(1, records * GROUP_BYTES // table.nbytes)
        date = (EPOCH + timedelta(days=day)).date()
        path = self._folder / f"day={date.isoformat()}" / f"{self.worker}-{self._written:06d}.parquet"
        partial = path.with_name(f".{path.name}.part")
        self._written += 1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Without dictionaries, with which it takes longer and the files are larger.
            with pq.ParquetWriter(partial, SCHEMA, compression="zstd", use_dictionary=False) as writer:
                for start in range(0, records, group):
                    writer.write_table(table.slice(start, group))
                    self._rest()
            self._make_room(partial.stat().st_size)
            partial.replace(path)
        except (OSError, pa.ArrowException) as error:
            log.error("%d scores are not logged: %s", records, error)
            self.tell("failed", records)
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            return
        self.tell("written", records)

    def _make_room(self, size: int) -> None:
        """Remove the oldest files until ``size`` bytes more stay below the cap."""
        files = sorted(self._present())
        excess = sum(each[2] for each in files) + size - self._max_bytes
        for _, path, its in files:
            if excess <= 0:
                return
            self._remove(path)
            excess -= its

    def _present(self) -> list[tuple[tuple[str, float], Path, int]]:
        """((day, when it was written), path, bytes) of each complete file."""
        found = []
        for folder in self._folder.glob("day=*"):
            for entry in os.scandir(folder):
                with suppress(FileNotFoundError):  # another worker has made room
                    stat = entry.stat()
                    if entry.name.endswith(".parquet"):
                        found.append(((folder.name, stat.st_mtime), Path(entry.path), stat.st_size))
                    elif time.time() - stat.st_mtime > ABANDONED_S:
                        os.unlink(entry.path)
        return found

    def _remove(self, path: Path) -> None:
        with suppress(FileNotFoundError):
            records = pq.read_metadata(path).num_rows
            path.unlink()
            self.tell("removed", records)
        with suppress(OSError):  # it is not empty
            path.parent.rmdir()


class ScoreWriter:
    """Collects records until they make a file: one that is large, or old enough."""

    def __init__(self, files: ScoreFiles, file_bytes: int, file_age_s: float) -> None:
        self._files = files
        self._file_bytes = file_bytes
        self._file_age_s = file_age_s
        self._pieces: list[tuple[int, pa.RecordBatch]] = []  # of the file to come, each with its day
        self._pieces_bytes = 0
        self._began = 0.0

    def add(self, records: Iterable[ScoreRecord]) -> None:
        for day, group in groupby(records, key=lambda record: record.day):
            batch = self._batch(list(group))
            if batch is not None:
                self._began = self._began if self._pieces else time.monotonic()
                self._pieces.append((day, batch))
                self._pieces_bytes += batch.nbytes
                if self._pieces_bytes >= self._file_bytes:
                    self.write()

    def write_if_old(self) -> None:
        if self._pieces and time.monotonic() - self._began >= self._file_age_s:
            self.write()

    def write(self) -> None:
        """One file per day."""
        pieces, self._pieces, self._pieces_bytes = self._pieces, [], 0
        for day in sorted({day for day, _ in pieces}):
            self._files.write(day, [batch for its, batch in pieces if its == day])

    def _batch(self, records: Sequence[ScoreRecord]) -> pa.RecordBatch | None:
        try:
            return batch_of(records, self._files.worker)
        except Exception:  # whatever it is, the log goes on
            log.exception("scores are not logged")
            self._files.tell("failed", len(records))
            return None
