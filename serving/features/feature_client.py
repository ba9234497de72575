"""The feature store as requests see it: connected in the background, and never waited for longer than allowed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from infra.redis_server.endpoint import Endpoint
from serving.features.feast_reader import Keys, Reading, StoreAway
from serving.features.redis_reader import OnlineReader
from serving.item_cache.cache_invalidation import ItemTracker
from serving.item_cache.hash_layout import HashLayout
from serving.redis_client.connection import ConnectionLost, RedisConnection, pack
from serving.redis_client.reconnecting import PAUSE_S, ReconnectingConnection
from serving.time_limits import TimeLimits

WARM_ITEMS = 100  # read at once, so that no request waits long for them
WARM_PAUSE_S = 0.002
REFRESH_PAUSE_S = 0.005

log = logging.getLogger(__name__)


class OnlineFeatures:
    """Keeps one connection for reading and one for hearing of changes; both are made anew when lost or silent.

    ``find_endpoint`` is asked before each attempt, since a Redis that was started again may have another port.
    Not for threads: all calls come from the loop that called ``start``.
    """

    def __init__(self, reader: OnlineReader, find_endpoint: Callable[[], Endpoint]) -> None:
        self._reader = reader
        self._tracker = ItemTracker(reader.item_layout, (reader.cache, reader.companion_cache))
        self._find_endpoint = find_endpoint
        self._kept = ReconnectingConnection("the feature store", find_endpoint)
        self._limits = TimeLimits()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, timeout_s: float) -> None:
        """Connect; after ``timeout_s`` go on without, while the attempts continue."""
        if self._reader.cache.capacity:  # else there is nothing to keep coherent
            self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._stay_warm())]
            self._tasks.append(asyncio.create_task(self._refresh()))
        await self._kept.start(timeout_s)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._kept.close()
        self._limits.close()

    @property
    def problem(self) -> str | None:
        """Why there is no connection."""
        return self._kept.problem

    async def read(self, keys: Keys, timeout_s: float) -> Reading:
        """Raises StoreAway after at most ``timeout_s``, and at once while there is no connection."""
        link = self._kept.link
        if link is None:
            raise StoreAway(str(self.problem))
        try:
            return await self._limits.within(timeout_s, self._reader.read(keys, link))
        except TimeoutError:
            raise StoreAway(f"no answer within {max(timeout_s, 0.0) * 1000:.0f} ms") from None
        except Exception as error:  # whatever ails the store, the slate is to be answered
            if not isinstance(error, OSError):
                log.exception("a reading failed")
            raise StoreAway(f"{type(error).__name__}: {error}") from error

    @property
    def cached_items(self) -> int:
        return len(self._reader.cache)

    async def some_ids(self, most: int) -> list[str]:
        """Items that the store has rows of. Raises StoreAway."""
        found: list[str] = []
        try:
            if self._kept.link is not None:
                async for ids in scan_ids(self._kept.link, self._reader.item_layout):
                    found += ids
                    if len(found) >= most:
                        break
        except ConnectionLost as error:
            raise StoreAway(str(error)) from error
        return list(dict.fromkeys(found))[:most]

    async def _follow(self) -> None:
        while True:
            with suppress(Exception):  # whatever ails it, the cache is empty until it is followed again
                await self._tracker.follow(await asyncio.to_thread(self._find_endpoint))
            await asyncio.sleep(PAUSE_S)

    async def _stay_warm(self) -> None:
        """Fill the cache whenever it has become coherent again; a link that is lost meanwhile ends the attempt."""
        while True:
            await self._tracker.coherent.wait()
            try:
                if self._kept.link is not None:
                    await self._warm(self._kept.link)
                    await self._tracker.lost.wait()
            except ConnectionLost as error:
                log.info("the item cache is not filled: %s", error)
            except Exception:  # a row that cannot be decoded: requests go on without a warm cache
                log.exception("the item cache is not filled")
            await asyncio.sleep(PAUSE_S)

    async def _refresh(self) -> None:
        """Ask for kept items soon after they changed, many at once: else each request that misses one asks for it."""
        changed = self._tracker.changed
        while True:
            await changed.wait()
            changed.clear()
            try:
                while ids := self._reader.cache.take_forgotten(WARM_ITEMS):
                    await self._reader.fill(ids, self._kept.open_link())
                    await asyncio.sleep(REFRESH_PAUSE_S)
            except Exception as error:
                if not isinstance(
                    error, ConnectionLost
                ):  # a row that cannot be decoded: requests that miss it ask for it
                    log.exception("some items are not refreshed")
                changed.set()  # for those that are left
                await asyncio.sleep(PAUSE_S)

    async def _warm(self, link: RedisConnection) -> None:
        cache = self._reader.cache
        async for ids in scan_ids(link, self._reader.item_layout):
            for start in range(0, len(ids), WARM_ITEMS):
                if len(cache) + WARM_ITEMS > cache.capacity:
                    return
                await self._reader.fill(ids[start : start + WARM_ITEMS], link)
                await asyncio.sleep(WARM_PAUSE_S)


async def scan_ids(link: RedisConnection, layout: HashLayout) -> AsyncIterator[list[str]]:
    """The ids of all keys of ``layout``, some of them perhaps twice. Raises LinkDown."""
    cursor = b"0"
    while True:
        (reply,) = await link.call(pack(b"SCAN", cursor, b"MATCH", layout.pattern, b"COUNT", b"1000"), 1)
        cursor, keys = reply
        yield [found for key in keys if (found := layout.id_of(key)) is not None]
        if cursor == b"0":
            return
