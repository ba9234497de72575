"""Remembering the newest score's moment in Redis, off the request's path, for the replay clock's next start."""

from __future__ import annotations

import contextlib
import threading
from datetime import datetime

import redis

from infra import redis_keys
from infra.redis_server import RedisServerError, endpoint
from infra.settings import Settings

EVERY_S = 1.0


class NewestScore:
    """A daemon thread writes the newest moment at most once in EVERY_S; a Redis that is away costs nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._newest: datetime | None = None
        self._written: datetime | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="newest-score", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def seen(self, scored_at: datetime) -> None:
        if self._newest is None or scored_at > self._newest:
            self._newest = scored_at

    def stop(self) -> None:
        """Write what is left, then end."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            self._write()
        self._write()

    def _write(self) -> None:
        newest = self._newest
        if newest is None or newest == self._written:
            return
        with contextlib.suppress(redis.RedisError, RedisServerError, OSError):
            micros = int(newest.timestamp()) * 1_000_000 + newest.microsecond
            with endpoint(self._settings).client() as client:
                client.set(redis_keys.newest_score_us(self._settings.dataset), micros)
            self._written = newest
