"""The process that makes files of one scorer's score log, so that no request waits for it.

    python -m serving.score_log.writer FOLDER WORKER MAX_BYTES FILE_AGE_S

Reads frames (:mod:`serving.score_log.codec`) from standard input and reports outcomes on standard output, in lines
like ``written 120``. It ends when its input ends, with everything on disk.
"""

from __future__ import annotations

import argparse
import logging
import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from infra.low_priority import give_way

NICE = 10  # requests go first
PERIOD_S = 0.05
PAUSE_S = 0.001  # after each piece: else the scheduler lets this process finish a turn of several milliseconds
PIPE_BYTES = 1 << 20
PIECE_BYTES = PIPE_BYTES // 8  # of frames that are turned into Arrow at once
FILE_BYTES = 4 << 20  # of Arrow data, and no more than a quarter of the cap


def run(descriptor: int, folder: Path, worker: str, max_bytes: int, file_age_s: float) -> None:
    """Runs until the end of ``descriptor``."""
    # Imported here: it takes a while, and the process must ignore signals and have a low priority by then.
    from serving.score_log.codec import Frames
    from serving.score_log.files import ScoreFiles, ScoreWriter

    files = ScoreFiles(folder, worker, max_bytes, _report, lambda: time.sleep(PAUSE_S))
    writer, frames = ScoreWriter(files, min(FILE_BYTES, max_bytes // 4), file_age_s), Frames()
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
    parser = argparse.ArgumentParser(prog="python -m serving.score_log.writer", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("worker")
    parser.add_argument("max_bytes", type=int)
    parser.add_argument("file_age_s", type=float)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the scorer gets it too, and ends the input when it is done
    give_way(NICE)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    run(sys.stdin.fileno(), arguments.folder, arguments.worker, arguments.max_bytes, arguments.file_age_s)
    return 0


def _report(outcome: str, count: int) -> None:
    with suppress(OSError):  # the scorer has ended; what it sent is still written
        print(outcome, count, flush=True)


if __name__ == "__main__":
    sys.exit(main())
