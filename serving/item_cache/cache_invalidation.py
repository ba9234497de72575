"""Receives from Redis which item keys change, and evicts them from the caches of this process.

Server-assisted client-side caching in broadcast mode: on a connection of its own, Redis names every changed key that
begins as item keys do (https://redis.io/docs/latest/develop/reference/client-side-caching). A change can be missed
while the connection is lost or silent. Then the caches are emptied, and stay empty until the connection is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from infra.redis_server.endpoint import Endpoint
from serving.item_cache.hash_layout import HashLayout
from serving.redis_client.connection import HEARTBEAT_S, SILENCE_S, connect, pack


class Cache(Protocol):
    """What is invalidated. While ``is_coherent`` is False it stores nothing."""

    is_coherent: bool

    def forget(self, ids: Iterable[str]) -> None: ...
    def clear(self) -> None: ...


class CacheInvalidation:
    """``layout``: how an item's key is made."""

    def __init__(self, layout: HashLayout, caches: Sequence[Cache]) -> None:
        self._layout = layout
        self._caches = caches
        self.coherent = asyncio.Event()
        self.changed = asyncio.Event()  # the task that waits for it clears it
        self.lost = asyncio.Event()

    async def follow(self, endpoint: Endpoint) -> None:
        """Runs until the connection is lost or silent. Raises ConnectionLost, OSError or TimeoutError then."""
        connection = await connect(endpoint, self.on_push)
        try:
            begin = pack(b"HELLO", b"3") + pack(b"CLIENT", b"TRACKING", b"ON", b"BCAST", b"PREFIX", self._layout.before)
            async with asyncio.timeout(SILENCE_S):
                await connection.call(begin, 2)
            self._set_coherent(True)
            while True:
                async with asyncio.timeout(SILENCE_S):
                    await connection.call(pack(b"PING"), 1)
                await asyncio.sleep(HEARTBEAT_S)
        finally:
            self._set_coherent(False)
            connection.close()

    def on_push(self, message: list[Any]) -> None:
        """``[b"invalidate", [key, ...]]``, with None in place of the keys when all of them were removed."""
        if message[0] != b"invalidate":
            return
        if message[1] is None:
            for cache in self._caches:
                cache.clear()
            return
        ids = [item_id for key in message[1] if (item_id := self._layout.id_of(key)) is not None]
        for cache in self._caches:
            cache.forget(ids)
        self.changed.set()

    def _set_coherent(self, is_coherent: bool) -> None:
        for cache in self._caches:
            cache.is_coherent = is_coherent
            cache.clear()
        (self.coherent if is_coherent else self.lost).set()
        (self.lost if is_coherent else self.coherent).clear()
