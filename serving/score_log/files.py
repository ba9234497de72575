"""The files of the score log: each complete or absent, and all of them together below a cap.

When the cap is reached, the oldest files are removed, whichever worker wrote them. If the disk is full or the folder
cannot be written, the records of that file are lost and counted; no request fails.
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
from infra.durable_file import replace_durably

RecordOutcome = Literal["written", "dropped", "failed", "removed", "damaged"]
Report = Callable[[RecordOutcome, int], None]
"""Is called with an outcome and how many records had it; for ``damaged``, how many files."""

MEGABYTE = 1 << 20
GROUP_BYTES = MEGABYTE // 4  # of Arrow data in a row group
ABANDONED_S = 600.0  # a partial file of this age belongs to a process that ended
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

log = logging.getLogger(__name__)


class ScoreFiles:
    """One worker's files below ``folder``, where other workers write theirs too.

    ``max_bytes``: of all files together. ``pause``: is called between pieces of work, to yield the core.
    """

    def __init__(self, folder: Path, worker: str, max_bytes: int, report: Report, pause: Callable[[], object]) -> None:
        self.worker = worker
        self.report = report
        self._folder = folder
        self._max_bytes = max_bytes
        self._pause = pause
        self._written = 0

    def write(self, day: int, batches: Sequence[pa.RecordBatch]) -> None:
        """Write one file of the UTC day ``day`` (days since the epoch). Records that cannot be written are counted."""
        table = pa.Table.from_batches(batches, SCHEMA)
        records = len(table)
        group = max(1, records * GROUP_BYTES // table.nbytes)
        date = (EPOCH + timedelta(days=day)).date()
        path = self._folder / f"day={date.isoformat()}" / f"{self.worker}-{self._written:06d}.parquet"
        partial = path.with_name(f".{path.name}.part")
        self._written += 1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Dictionaries would take longer and make the files larger.
            with pq.ParquetWriter(partial, SCHEMA, compression="zstd", use_dictionary=False) as writer:
                for start in range(0, records, group):
                    writer.write_table(table.slice(start, group))
                    self._pause()
            self._make_room(partial.stat().st_size)
            replace_durably(partial, path)
        except (OSError, pa.ArrowException) as error:
            log.error("%d scores are not logged: %s", records, error)
            self.report("failed", records)
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            return
        self.report("written", records)

    def _make_room(self, size: int) -> None:
        """Remove the oldest files until ``size`` more bytes stay below the cap."""
        files = sorted(self._present())
        excess = sum(file_bytes for _, _, file_bytes in files) + size - self._max_bytes
        for _, path, file_bytes in files:
            if excess <= 0:
                return
            if self._remove(path):
                excess -= file_bytes

    def _present(self) -> list[tuple[tuple[str, float], Path, int]]:
        """((day, when it was written), path, bytes) of each complete file."""
        found = []
        for folder in self._folder.glob("day=*"):
            for entry in os.scandir(folder):
                with suppress(FileNotFoundError):  # another worker removed it
                    stat = entry.stat()
                    if entry.name.endswith(".parquet"):
                        found.append(((folder.name, stat.st_mtime), Path(entry.path), stat.st_size))
                    elif time.time() - stat.st_mtime > ABANDONED_S:
                        os.unlink(entry.path)
        return found

    def _remove(self, path: Path) -> bool:
        """False if it cannot be removed; then another is. One file must not stop the log."""
        records = _records_in(path)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            log.error("a file of the score log cannot be removed: %s", error)
            return False
        if records is None:
            log.error("%s was damaged, and is removed like the oldest of the score log", path)
            self.report("damaged", 1)
        else:
            self.report("removed", records)
        with suppress(OSError):  # it is not empty
            path.parent.rmdir()
        return True


def _records_in(path: Path) -> int | None:
    """None for a damaged file. A file that another worker has just removed has none."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except FileNotFoundError:
        return 0
    except (OSError, pa.ArrowException):
        return None


class ScoreWriter:
    """Collects records until they make a file that is large or old enough."""

    def __init__(self, files: ScoreFiles, file_bytes: int, file_age_s: float) -> None:
        self._files = files
        self._file_bytes = file_bytes
        self._file_age_s = file_age_s
        self._pieces: list[tuple[int, pa.RecordBatch]] = []  # of the next file, each with its day
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
            self._files.write(day, [batch for batch_day, batch in pieces if batch_day == day])

    def _batch(self, records: Sequence[ScoreRecord]) -> pa.RecordBatch | None:
        try:
            return batch_of(records, self._files.worker)
        except Exception:  # one bad record must not stop the log
            log.exception("scores are not logged")
            self._files.report("failed", len(records))
            return None
