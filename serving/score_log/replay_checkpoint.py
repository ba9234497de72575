"""The newest timestamp of a scored slate, stored in Redis: the replay clock's next start begins there."""

from __future__ import annotations

import logging
import threading

import redis

from infra.redis_server import keys as redis_keys
from infra.redis_server.server import RedisServerError, endpoint
from infra.settings import Settings

PERIOD_S = 1.0
_STORE_NEWEST = """
local known = tonumber(redis.call('GET', KEYS[1]) or '0') or 0
if tonumber(ARGV[1]) > known then redis.call('SET', KEYS[1], ARGV[1]) end
"""

log = logging.getLogger(__name__)


class ReplayCheckpoint:
    """Requests note their timestamp; a thread writes the newest, at most once a second.

    A Redis that is away delays no request: the thread tries again a second later.
    """

    def __init__(self, settings: Settings, period_s: float = PERIOD_S) -> None:
        self._settings = settings
        self._period_s = period_s
        self._newest_us = 0
        self._written_us = 0
        self._noting = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._client: redis.Redis | None = None  # used by the thread only

    def start(self) -> None:
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="newest-score", daemon=True)
        self._thread.start()

    def note(self, scored_us: int) -> None:
        with self._noting:
            self._newest_us = max(self._newest_us, scored_us)

    def close(self) -> None:
        """Write the last timestamp and end; after a few seconds, end without."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(3.0)

    def _run(self) -> None:
        while not self._stopping.wait(self._period_s):
            self._write()
        self._disconnect()  # the connection may be lost unnoticed, and the next write is the last
        self._write()
        self._disconnect()

    def _write(self) -> None:
        newest = self._newest_us
        if newest <= self._written_us:
            return
        try:
            if self._client is None:
                self._client = endpoint(self._settings).client()
            self._client.eval(_STORE_NEWEST, 1, redis_keys.newest_score_us(self._settings.dataset), str(newest))
        except (redis.RedisError, RedisServerError, OSError) as error:
            log.debug("the replay checkpoint is not written: %s", error)
            self._disconnect()
            return
        self._written_us = newest

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
