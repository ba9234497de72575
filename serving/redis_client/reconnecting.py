"""A connection to Redis that is made anew whenever it is lost or silent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from infra.redis_server.endpoint import Endpoint
from serving.item_cache.cache_invalidation import HEARTBEAT_S, SILENCE_S
from serving.redis_client.connection import ConnectionLost, RedisConnection, connect, pack

PAUSE_S = 0.25  # between attempts to connect

log = logging.getLogger(__name__)


class ReconnectingConnection:
    """``find_endpoint`` is asked before each attempt, since a Redis that was started again may have another port.

    ``what`` names it in the log; ``opened`` is called for each new connection. Not for threads: all calls come from
    the loop that called ``start``.
    """

    def __init__(
        self, what: str, find_endpoint: Callable[[], Endpoint], opened: Callable[[], None] = lambda: None
    ) -> None:
        self._what = what
        self._on_opened = opened
        self._find_endpoint = find_endpoint
        self._task: asyncio.Task[None] | None = None
        self._opened = asyncio.Event()
        self.link: RedisConnection | None = None
        self.problem: str | None = f"{what} is not open yet"

    async def start(self, timeout_s: float) -> None:
        """Connect; after ``timeout_s`` go on without, while the attempts continue."""
        self._task = asyncio.create_task(self._keep())
        try:
            async with asyncio.timeout(timeout_s):
                await self._opened.wait()
        except TimeoutError:
            log.warning("going on without %s: %s", self._what, self.problem)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def call(self, packed: bytes, replies: int) -> asyncio.Future[list[Any]]:
        """See :meth:`RedisConnection.call`. Raises LinkDown at once while there is no connection."""
        return self.open_link().call(packed, replies)

    def open_link(self) -> RedisConnection:
        """Raises LinkDown at once while there is no connection."""
        if self.link is None:
            raise ConnectionLost(str(self.problem))
        return self.link

    async def _keep(self) -> None:
        while True:
            try:
                await self._use(await asyncio.to_thread(self._find_endpoint))
            except Exception as error:  # no Redis, no address, refused, silent: all the same, try again
                self._note(f"{type(error).__name__}: {error}")
            await asyncio.sleep(PAUSE_S)

    async def _use(self, endpoint: Endpoint) -> None:
        """Runs until the connection is lost or does not answer a heartbeat."""
        link = await connect(endpoint)
        try:
            self._open(link)
            while True:
                await asyncio.sleep(HEARTBEAT_S)
                async with asyncio.timeout(SILENCE_S):
                    await link.call(pack(b"PING"), 1)
        finally:
            self.link = None
            link.close()  # what still waits for an answer gets none

    def _open(self, link: RedisConnection) -> None:
        if self._opened.is_set():
            log.warning("%s answers again", self._what)
        self._on_opened()
        self.link, self.problem = link, None
        self._opened.set()

    def _note(self, problem: str) -> None:
        if self.problem is None:
            log.warning("going on without %s: %s", self._what, problem)
        self.problem = problem
