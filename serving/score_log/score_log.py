"""Logs every slate that is scored without delaying the request, which puts its record into a queue.

The queue is bounded; a record that does not fit is dropped and counted. A thread sends the records to
:mod:`serving.score_log.writer`, a process that belongs to the scorer: making files of them takes long, and would hold
the interpreter while requests wait. A record is packed at once, so that no request stays in memory.
"""

from __future__ import annotations

import fcntl
import logging
import os
import random
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import cast
from uuid import uuid4

from feature_repo.live.score_records import ScoreRecord, score_folder
from feature_repo.slate import Floats
from infra.settings import Settings
from serving.metrics import Metrics
from serving.score_log import writer
from serving.score_log.codec import frame
from serving.score_log.files import MEGABYTE, RecordOutcome

PERIOD_S = 0.05  # between sends: each one takes the interpreter's lock from the event loop
AT_ONCE, AT_ONCE_BYTES = 100, writer.PIPE_BYTES // 4  # records that are sent together
FILE_AGE_S = 10.0
WAITING_BYTES = 64 * MEGABYTE
RESTART_S = 1.0  # after the writer died
CLOSE_TIMEOUT_S = 10.0

_ROOT = Path(__file__).resolve().parents[2]

log = logging.getLogger(__name__)


class ScoreLog:
    """Call ``append`` from the event loop only. ``file_age_s``: a file of this age is written even if it is small."""

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
        self._waiting_bytes = waiting_bytes
        self._folder = score_folder(settings.live_dir).absolute()
        self._bounds = (settings.score_log_mb * MEGABYTE, file_age_s)
        self._waiting: deque[bytes] = deque()
        self._put_bytes = 0  # written by the event loop only, the next by the sender only: no lock is needed
        self._taken_bytes = 0
        self._writer: _Writer | None = None
        self._closing = threading.Event()
        self._sender: threading.Thread | None = None

    def start(self) -> None:
        if self._is_on:
            self._closing.clear()
            self._sender = threading.Thread(target=self._run, name="score-log", daemon=True)
            self._sender.start()

    @property
    def waiting(self) -> int:
        """Records that are not sent to the writer yet."""
        return len(self._waiting)

    def append(self, record: ScoreRecord, matrix: Floats) -> None:
        """Never waits, never raises.

        ``matrix``: (n, f), logged for the share of records that the settings name.
        """
        if not self._is_on:
            return
        try:
            message = frame(replace(record, matrix=matrix) if random.random() < self._share else record)
        except Exception:  # logging must not fail a request
            log.exception("a score is not logged")
            self._metrics.score_records("failed", 1)
            return
        if self._put_bytes - self._taken_bytes + len(message) > self._waiting_bytes:
            self._metrics.score_records("dropped", 1)
            return
        self._put_bytes += len(message)
        self._waiting.append(message)

    def close(self) -> None:
        """Write what is left and end; after a few seconds, end without."""
        self._closing.set()
        if self._sender is not None:
            self._sender.join(CLOSE_TIMEOUT_S)
            if (writer := self._writer) is not None:
                writer.kill()  # it does not read what is sent
                self._sender.join(CLOSE_TIMEOUT_S)
            self._sender = None

    # ---------------------------------------------------------------------- on the sender's thread

    def _run(self) -> None:
        while not self._closing.wait(PERIOD_S):
            if not self._send():
                self._closing.wait(RESTART_S)
        if self._send() or self._send():  # the second time with a new writer
            self._end_writer()
        left = len(self._waiting)
        if left:
            log.error("%d scores are not logged", left)
            self._metrics.score_records("failed", left)
            self._waiting.clear()

    def _send(self) -> bool:
        """Send what is waiting now. False if there is no writer to send it to."""
        try:
            if self._writer is not None:
                self._writer.check()
            left = len(self._waiting)
            while left:
                if self._writer is None:
                    self._writer = self._new_writer()
                messages = self._take(min(left, AT_ONCE))
                left -= len(messages)
                self._writer.send(messages)
        except OSError as error:
            log.error("the writer of the score log has ended or cannot be started: %s", error)
            self._end_writer()
            return False
        return True

    def _take(self, max_messages: int) -> list[bytes]:
        """One, and as many of the next ones as fit into AT_ONCE_BYTES: if the writer dies, they are lost."""
        messages = [self._waiting.popleft()]
        size = len(messages[0])
        while len(messages) < max_messages and size + len(self._waiting[0]) <= AT_ONCE_BYTES:
            messages.append(self._waiting.popleft())
            size += len(messages[-1])
        self._taken_bytes += size
        return messages

    def _new_writer(self) -> _Writer:
        """Raises OSError."""
        worker = f"{os.getpid()}-{uuid4().hex[:8]}"  # process ids repeat, in other containers too
        return _Writer([str(each) for each in (self._folder, worker, *self._bounds)], self._metrics)

    def _end_writer(self) -> None:
        if self._writer is not None:
            self._writer.end()
            self._writer = None


class _Writer:
    """The writer's process and its reports. Raises OSError when it cannot be started."""

    def __init__(self, arguments: list[str], metrics: Metrics) -> None:
        self._metrics = metrics
        self._process = subprocess.Popen(
            [sys.executable, "-m", writer.__name__, *arguments],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            process_group=0,  # it does not get a terminal's signals
        )
        assert self._process.stdin is not None
        with suppress(OSError, AttributeError):  # not allowed, or not known to the system
            fcntl.fcntl(self._process.stdin, fcntl.F_SETPIPE_SZ, writer.PIPE_BYTES)
        self._sent = 0
        self._settled = 0  # written by the listener's thread only
        self._listener = threading.Thread(target=self._listen, name="score-log-outcomes", daemon=True)
        self._listener.start()

    def check(self) -> None:
        """Raises OSError when the process has ended."""
        if self._process.poll() is not None:
            raise ChildProcessError(f"status {self._process.returncode}")

    def send(self, messages: Sequence[bytes]) -> None:
        """Waits while the pipe is full. Raises OSError when the process has ended.

        One system call for all: each takes the interpreter's lock from the event loop when it returns.
        """
        assert self._process.stdin is not None
        self._sent += len(messages)
        rest = [memoryview(message) for message in messages]
        while rest:
            written = os.writev(self._process.stdin.fileno(), rest)
            while rest and written >= len(rest[0]):
                written -= len(rest.pop(0))
            if rest:
                rest[0] = rest[0][written:]

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        """Let it write what it has. What it does not write in time is counted as failed."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join(CLOSE_TIMEOUT_S)
        if self._sent > self._settled:
            log.error("%d scores are not logged", self._sent - self._settled)
            self._metrics.score_records("failed", self._sent - self._settled)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                outcome, count = line.decode().split()
                self._metrics.score_records(cast(RecordOutcome, outcome), int(count))
                if outcome in ("written", "failed"):
                    self._settled += int(count)
