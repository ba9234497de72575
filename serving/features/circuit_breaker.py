"""Blocking reads with a timeout from a store that may be slow or away, and that is opened again in the background."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from serving.features.feast_reader import BlockingReader
from serving.features.reading import Keys, Reading, StoreAway

PAUSE_S = 0.5  # after a failure no read waits for the store; the first read after the pause tries again
THREADS = 4

log = logging.getLogger(__name__)


class CircuitBreaker:
    """Opens the store and reads from it on threads of its own, so that no caller waits longer than its timeout.

    After a failure every read fails at once for ``pause_s``, and the store is opened again in the background, since a
    Redis that was restarted may have another port. Until that succeeds, the present reader stays in use.
    """

    def __init__(self, open_reader: Callable[[], BlockingReader], pause_s: float = PAUSE_S) -> None:
        self._open_reader = open_reader
        self._pause_s = pause_s
        self._reader: BlockingReader | None = None
        self._resume_at = 0.0
        self._problem: str | None = "the feature store is not open yet"
        self._opening = threading.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="store-reader")

    @property
    def problem(self) -> str | None:
        """Why the last attempt to open or read failed; None after a success."""
        return self._problem

    def open(self, timeout_s: float) -> None:
        """Open the store. After ``timeout_s`` this returns, and the attempt continues in the background."""
        attempt = self._open_in_background()
        if attempt is not None:
            attempt.join(timeout_s)

    def read(self, keys: Keys, timeout_s: float) -> Reading:
        """Raises StoreAway after at most ``timeout_s``."""
        reader = self._usable_reader()
        reading: Future[Reading] = self._threads.submit(self._read, reader, keys)
        try:
            found = reading.result(max(timeout_s, 0.0))
        except TimeoutError:
            reading.cancel()
            raise self._away(f"no answer within {max(timeout_s, 0.0) * 1000:.0f} ms") from None
        except Exception as error:  # the store's client raises many kinds
            raise self._away(f"{type(error).__name__}: {error}") from error
        if self._problem is not None:
            log.warning("Feast's reader answers again")
            self._problem = None
        return found

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _read(self, reader: BlockingReader, keys: Keys) -> Reading:
        if time.monotonic() < self._resume_at:  # another read failed while this one was queued
            raise StoreAway(str(self._problem))
        return reader.read(keys)

    def _usable_reader(self) -> BlockingReader:
        reader, problem = self._reader, self._problem
        if time.monotonic() < self._resume_at:
            raise StoreAway(str(problem))
        if reader is None:
            self._open_in_background()
            raise StoreAway(str(problem))
        return reader

    def _away(self, problem: str) -> StoreAway:
        if time.monotonic() >= self._resume_at:
            self._pause(problem)
            self._open_in_background()
        return StoreAway(problem)

    def _pause(self, problem: str) -> None:
        if problem != self._problem:
            log.warning("Feast's reader is paused: %s", problem)
        self._problem = problem
        self._resume_at = time.monotonic() + self._pause_s

    def _open_in_background(self) -> threading.Thread | None:
        """None where an attempt is already running."""
        if not self._opening.acquire(blocking=False):
            return None
        thread = threading.Thread(target=self._open, name="store-opener", daemon=True)
        thread.start()
        return thread

    def _open(self) -> None:
        first = self._reader is None
        try:
            self._reader = self._open_reader()
            if first:
                self._problem = None
                self._resume_at = 0.0
        except Exception as error:
            if first:
                self._pause(f"{type(error).__name__}: {error}")
        finally:
            self._opening.release()
