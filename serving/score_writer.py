"""The process that turns one scorer's score log into files, so that no request waits for it.

    python -m serving.score_writer FOLDER WORKER MOST_BYTES FILE_AGE_S

Reads the frames of :mod:`serving.score_wire` from standard input and says on standard output what became of the
records, a line like ``written 120`` each. It ends, with everything on disk, when its input does, and not before.
"""

from __future__ import annotations

import argparse
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import pyarrow as pa

from feature_repo.live.score_records import ScoreRecord, batch_of
from serving.score_files import MEGABYTE, RecordOutcome, ScoreFiles
from serving.score_wire import Frames

NICE = 10  # requests go first
PERIOD_S = 0.05
PAUSE_S = 0.001  # after each piece: a scheduler lets even who goes last finish its turn of a few milliseconds
PIECE_BYTES = MEGABYTE // 16  # of frames that are turned into Arrow at once
FILE_BYTES = 4 * MEGABYTE  # of Arrow data, and no more than a quarter of the cap
PIPE_BYTES = MEGABYTE

log = logging.getLogger(__name__)


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
        except (pa.ArrowException, ValueError, TypeError):
            log.exception("scores are not logged")
            self._files.tell("failed", len(records))
            return None


def run(descriptor: int, writer: ScoreWriter) -> None:
    """Until there is no more to be read from ``descriptor``."""
    frames = Frames()
    while True:
        data = None
        if select.select([descriptor], [], [], PERIOD_S)[0]:
            data = os.read(descriptor, PIECE_BYTES)
            writer.add(frames.feed(data))
        if data == b"":
            writer.write()
            return
        writer.write_if_old()
        time.sleep(PAUSE_S)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m serving.score_writer", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("worker")
    parser.add_argument("most_bytes", type=int)
    parser.add_argument("file_age_s", type=float)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the scorer gets it, too, and ends the input when it is done
    os.nice(NICE)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    files = ScoreFiles(arguments.folder, arguments.worker, arguments.most_bytes, _tell, lambda: time.sleep(PAUSE_S))
    run(sys.stdin.fileno(), ScoreWriter(files, min(FILE_BYTES, arguments.most_bytes // 4), arguments.file_age_s))
    return 0


def _tell(outcome: RecordOutcome, count: int) -> None:
    with suppress(OSError):  # the scorer is gone; what it sent is kept all the same
        print(outcome, count, flush=True)


if __name__ == "__main__":
    sys.exit(main())
