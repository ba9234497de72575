"""Hears from Redis which item keys change, and keeps the caches of this process coherent.

Server-assisted client-side caching in broadcast mode: Redis names every changed key that begins as item keys do, on
a connection of its own (https://redis.io/docs/latest/develop/reference/client-side-caching). A connection that is
lost, or silent for longer than a heartbeat may take, could have missed a change: everything kept is dropped, and
nothing is kept until it is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from infra.redis_server.endpoint import Endpoint
from serving.item_cache.hash_layout import HashLayout
from serving.redis_client.connection import connect, pack

HEARTBEAT_S = 0.2
SILENCE_S = 0.6  # with the heartbeat, how long a silent connection can go unnoticed: under a second


class Kept(Protocol):
    """What is to be kept coherent."""

    is_coherent: bool

    def forget(self, ids: Iterable[str]) -> None: ...
    def clear(self) -> None: ...


class ItemTracker:
    """``layout`` says how an item's key is made."""

    def __init__(self, layout: HashLayout, kept: Sequence[Kept]) -> None:
        self._layout = layout
        self._kept = kept
        self.coherent = asyncio.Event()
        self.changed = asyncio.Event()  # cleared by whoever waits for it
        self.lost = asyncio.Event()

    async def follow(self, endpoint: Endpoint) -> None:
        """Runs until the connection is lost or silent. Raises LinkDown, OSError or TimeoutError then."""
        link = await connect(endpoint, self.heard)
        try:
            begin = pack(b"HELLO", b"3") + pack(b"CLIENT", b"TRACKING", b"ON", b"BCAST", b"PREFIX", self._layout.before)
            async with asyncio.timeout(SILENCE_S):
                await link.call(begin, 2)
            self._set_coherent(True)
            while True:
                async with asyncio.timeout(SILENCE_S):
                    await link.call(pack(b"PING"), 1)
                await asyncio.sleep(HEARTBEAT_S)
        finally:
            self._set_coherent(False)
            link.close()

    def heard(self, message: list[Any]) -> None:
        """``[b"invalidate", [key, ...]]``, or None for the keys when all of them are gone."""
        if message[0] != b"invalidate":
            return
        if message[1] is None:
            for each in self._kept:
                each.clear()
            return
        ids = [found for key in message[1] if (found := self._layout.id_of(key)) is not None]
        for each in self._kept:
            each.forget(ids)
        self.changed.set()

    def _set_coherent(self, is_coherent: bool) -> None:
        for each in self._kept:
            each.is_coherent = is_coherent
            each.clear()
        (self.coherent if is_coherent else self.lost).set()
        (self.lost if is_coherent else self.coherent).clear()
