"""The feature store as requests see it: connected in the background, with a deadline on every read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from infra.redis_server.endpoint import Endpoint
from serving.features.reading import Keys, Reading, StoreAway
from serving.features.redis_reader import Entities, RedisReader
from serving.item_cache.cache_invalidation import CacheInvalidation
from serving.item_cache.hash_layout import HashLayout
from serving.redis_client.connection import (
    RECONNECT_PAUSE_S,
    ConnectionLost,
    ReconnectingConnection,
    RedisConnection,
    pack,
)

WARM_ITEMS = 100  # read in one go, so that no request waits long for them
WARM_PAUSE_S = 0.002
REFRESH_PAUSE_S = 0.005

T = TypeVar("T")

log = logging.getLogger(__name__)


class FeatureClient:
    """Holds one connection for reading and one for changes; both are opened again when lost or silent.

    ``find_endpoint`` is called before each attempt, since a Redis that was restarted may have another port.
    Not thread-safe: all calls come from the loop that called ``start``.
    """

    def __init__(self, reader: RedisReader, find_endpoint: Callable[[], Endpoint]) -> None:
        self._reader = reader
        self._invalidation = CacheInvalidation(reader.item_layout, (reader.cache, reader.companion_cache))
        self._find_endpoint = find_endpoint
        self._connection = ReconnectingConnection("the feature store", find_endpoint)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, timeout_s: float) -> None:
        """Connect. After ``timeout_s`` this returns without a connection, and the attempts continue."""
        if self._reader.cache.capacity:  # else there is nothing to invalidate
            self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._stay_warm())]
            self._tasks.append(asyncio.create_task(self._refresh()))
        await self._connection.start(timeout_s)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._connection.close()

    @property
    def problem(self) -> str | None:
        """Why there is no connection."""
        return self._connection.problem

    async def read(self, keys: Keys, timeout_s: float) -> Reading:
        """Raises StoreAway after at most ``timeout_s``, and at once while there is no connection."""
        return await self._within(timeout_s, lambda connection: self._reader.read(keys, connection))

    async def entities(self, keys: Keys, timeout_s: float) -> Entities:
        """User and session alone, before the candidates are known. Raises StoreAway as :meth:`read`."""
        return await self._within(timeout_s, lambda connection: self._reader.entities(keys, connection))

    async def items(self, entities: Entities, keys: Keys, timeout_s: float) -> Reading:
        """The reading with these candidates, at the same timestamp. Raises StoreAway as :meth:`read`."""
        return await self._within(timeout_s, lambda connection: self._reader.items(entities, keys, connection))

    async def _within(self, timeout_s: float, call: Callable[[RedisConnection], Awaitable[T]]) -> T:
        connection = self._connection.current
        if connection is None:
            raise StoreAway(str(self.problem))
        try:
            async with asyncio.timeout(timeout_s):
                return await call(connection)
        except TimeoutError:
            raise StoreAway(f"no answer within {max(timeout_s, 0.0) * 1000:.0f} ms") from None
        except Exception as error:  # the slate is scored without the store, whatever its error is
            if not isinstance(error, OSError):
                log.exception("a reading failed")
            raise StoreAway(f"{type(error).__name__}: {error}") from error

    @property
    def cached_items(self) -> int:
        return len(self._reader.cache)

    def first_seen_since(self, since_us: int) -> list[str]:
        """See :meth:`RedisReader.first_seen_since`."""
        return self._reader.first_seen_since(since_us)

    async def some_ids(self, max_ids: int) -> list[str]:
        """Items that the store has rows of. Raises StoreAway."""
        ids: list[str] = []
        try:
            if self._connection.current is not None:
                async for scanned in scan_ids(self._connection.current, self._reader.item_layout):
                    ids += scanned
                    if len(ids) >= max_ids:
                        break
        except ConnectionLost as error:
            raise StoreAway(str(error)) from error
        return list(dict.fromkeys(ids))[:max_ids]

    async def _follow(self) -> None:
        while True:
            with suppress(Exception):  # whatever the error is, the caches stay empty until the next attempt succeeds
                await self._invalidation.follow(await asyncio.to_thread(self._find_endpoint))
            await asyncio.sleep(RECONNECT_PAUSE_S)

    async def _stay_warm(self) -> None:
        """Fill the cache each time it becomes coherent; losing the connection ends the attempt."""
        while True:
            await self._invalidation.coherent.wait()
            try:
                if self._connection.current is not None:
                    await self._warm(self._connection.current)
                    await self._invalidation.lost.wait()
            except ConnectionLost as error:
                log.info("the item cache is not filled: %s", error)
            except Exception:  # a row that cannot be decoded: requests are served without a warm cache
                log.exception("the item cache is not filled")
            await asyncio.sleep(RECONNECT_PAUSE_S)

    async def _refresh(self) -> None:
        """Read changed items again soon, many at once, so that requests find them in the cache."""
        changed = self._invalidation.changed
        while True:
            await changed.wait()
            changed.clear()
            try:
                while ids := self._reader.cache.take_forgotten(WARM_ITEMS):
                    await self._reader.fill(ids, self._connection.open_connection())
                    await asyncio.sleep(REFRESH_PAUSE_S)
            except Exception as error:
                if not isinstance(error, ConnectionLost):  # a row that cannot be decoded: requests read it themselves
                    log.exception("some items are not refreshed")
                changed.set()  # for the remaining ones
                await asyncio.sleep(RECONNECT_PAUSE_S)

    async def _warm(self, connection: RedisConnection) -> None:
        cache = self._reader.cache
        async for ids in scan_ids(connection, self._reader.item_layout):
            for start in range(0, len(ids), WARM_ITEMS):
                if len(cache) + WARM_ITEMS > cache.capacity:
                    return
                await self._reader.fill(ids[start : start + WARM_ITEMS], connection)
                await asyncio.sleep(WARM_PAUSE_S)


async def scan_ids(connection: RedisConnection, layout: HashLayout) -> AsyncIterator[list[str]]:
    """The ids of all keys of ``layout``, some of them perhaps twice. Raises ConnectionLost."""
    cursor = b"0"
    while True:
        (reply,) = await connection.call(pack(b"SCAN", cursor, b"MATCH", layout.pattern, b"COUNT", b"1000"), 1)
        cursor, keys = reply
        yield [item_id for key in keys if (item_id := layout.id_of(key)) is not None]
        if cursor == b"0":
            return
