"""Every ``/score`` on disk, off its path: the request leaves references in a queue, one thread does the rest.

The queue is bounded by an estimate of the memory it keeps alive; what does not fit is dropped and counted. The thread
turns records into Arrow soon, and Arrow into a file when that is large or old enough, and when the scorer ends
(:mod:`serving.score_files` writes them).
"""

from __future__ import annotations

import logging
import os
import random
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from time import monotonic
from uuid import uuid4

import pyarrow as pa

from feature_repo.live.score_records import ScoreRecord, batch_of, score_folder
from feature_repo.slate import Floats
from infra.settings import Settings
from serving.metrics import Metrics
from serving.score_files import ScoreFiles

MEGABYTE = 1 << 20
PERIOD_S = 0.05
PAUSE_S = 0.002  # after each piece and each row group, for the requests that wait for the core
FILE_AGE_S = 10.0
FILE_BYTES = 4 * MEGABYTE  # of Arrow data, and no more than a quarter of the cap
WAITING_BYTES = 64 * MEGABYTE
RECORD_BYTES, CANDIDATE_BYTES = 4_000, 150  # of what a waiting record keeps alive, about
PIECE_BYTES = MEGABYTE // 3  # of records that are turned into Arrow at once
CLOSE_PATIENCE_S = 10.0

log = logging.getLogger(__name__)


class ScoreLog:
    """``append`` is for the event loop's thread alone. ``file_age_s``: when a file is written that is still small."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        *,
        file_age_s: float = FILE_AGE_S,
        waiting_bytes: int = WAITING_BYTES,
    ) -> None:
        self._is_on = settings.score_log_mb > 0
        self._share = settings.score_log_matrix_share
        self._metrics = metrics
        self._file_age_s = file_age_s
        self._waiting_bytes = waiting_bytes
        self._worker = f"{os.getpid()}-{uuid4().hex[:8]}"  # a process id comes again, in another container at once
        self._files = ScoreFiles(
            score_folder(settings.live_dir), self._worker, settings.score_log_mb * MEGABYTE, metrics, self._rest
        )
        self._waiting: deque[tuple[ScoreRecord, Floats | None, int]] = deque()
        self._put_bytes = 0  # by the loop's thread alone, as the next is by the writer's, so that neither needs a lock
        self._taken_bytes = 0
        self._file_bytes = min(FILE_BYTES, settings.score_log_mb * MEGABYTE // 4)
        self._pieces: list[tuple[int, pa.RecordBatch]] = []  # of the file to come, each with its day
        self._pieces_bytes = 0
        self._began = 0.0
        self._closing = threading.Event()
        self._writer: threading.Thread | None = None

    def start(self) -> None:
        if self._is_on:
            self._closing.clear()
            self._writer = threading.Thread(target=self._run, name="score-log", daemon=True)
            self._writer.start()

    def append(self, record: ScoreRecord, matrix: Floats) -> None:
        """Take references to what nobody changes any more. Never waits, never raises.

        ``matrix`` (n, f), what was scored, is kept for the share of the settings.
        """
        if not self._is_on:
            return
        kept = matrix if random.random() < self._share else None
        size = RECORD_BYTES + CANDIDATE_BYTES * len(record.item_ids) + (0 if kept is None else kept.nbytes)
        if self._put_bytes - self._taken_bytes + size > self._waiting_bytes:
            self._metrics.score_records("dropped", 1)
            return
        self._put_bytes += size
        self._waiting.append((record, kept, size))

    def close(self) -> None:
        """Write what is left and end; give up after a few seconds."""
        self._closing.set()
        if self._writer is not None:
            self._writer.join(CLOSE_PATIENCE_S)
            self._writer = None

    # ---------------------------------------------------------------------- on the writer's thread

    def _run(self) -> None:
        while True:
            is_last = self._closing.wait(PERIOD_S)
            try:
                self._look(is_last)
            except Exception:  # whatever it is, requests go on, and so does the log
                log.exception("scores are not logged")
            if is_last:
                return

    def _look(self, is_last: bool) -> None:
        for day, batch in self._taken():
            self._began = self._began if self._pieces else monotonic()
            self._pieces.append((day, batch))
            self._pieces_bytes += batch.nbytes
            if self._pieces_bytes >= self._file_bytes:
                self._write()
        if self._pieces and (is_last or monotonic() - self._began >= self._file_age_s):
            self._write()

    def _write(self) -> None:
        """One file per day."""
        pieces, self._pieces, self._pieces_bytes = self._pieces, [], 0
        for day in sorted({day for day, _ in pieces}):
            self._files.write(day, [batch for its, batch in pieces if its == day])

    def _taken(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """(day, records) of what waits now; never of more than may wait at once."""
        records: list[ScoreRecord] = []
        piece_bytes = 0
        for _ in range(len(self._waiting)):
            record, matrix, size = self._waiting.popleft()
            records.append(record if matrix is None else replace(record, matrix=matrix))
            self._taken_bytes += size
            piece_bytes += size
            if piece_bytes >= min(PIECE_BYTES, self._file_bytes):
                yield from self._batches(records)
                records, piece_bytes = [], 0
                self._rest()
        yield from self._batches(records)

    def _rest(self) -> None:
        self._closing.wait(PAUSE_S)

    def _batches(self, records: Sequence[ScoreRecord]) -> Iterator[tuple[int, pa.RecordBatch]]:
        for day, group in groupby(records, key=lambda record: record.day):
            of_day = list(group)
            try:
                yield day, batch_of(of_day, self._worker)
            except (pa.ArrowException, ValueError, TypeError):
                log.exception("scores are not logged")
                self._metrics.score_records("failed", len(of_day))
