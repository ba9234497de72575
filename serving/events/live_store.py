"""The two Redis servers to which everything goes that is accepted live: the events' own, and the feature store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from feature_repo.online.newest_wins import script
from infra.redis_server.server import EVENTS, FEATURES, endpoint
from infra.settings import Settings
from serving.errors import NotStored
from serving.redis_client.connection import ConnectionLost, ReconnectingConnection, pack

MICROSECONDS = 1_000_000
MAX_WAIT_S = 0.1


class LiveStore:
    """Not thread-safe: all calls come from the loop that called ``start``. ``on_open``: for each new connection to the
    events' Redis."""

    def __init__(self, settings: Settings, on_open: Callable[[], None] = lambda: None) -> None:
        self.events = ReconnectingConnection("the events' Redis", lambda: endpoint(settings, EVENTS), on_open)
        self.features = ReconnectingConnection("the feature store", lambda: endpoint(settings, FEATURES))

    async def start(self, timeout_s: float) -> None:
        await asyncio.gather(self.events.start(timeout_s), self.features.start(timeout_s))

    async def close(self) -> None:
        await asyncio.gather(self.events.close(), self.features.close())

    @asynccontextmanager
    async def accepting(self, timeout_s: float, refusal: type[NotStored]) -> AsyncIterator[None]:
        """A step that must be over after ``timeout_s``. Raises ``refusal`` if a server is away or too slow."""
        try:
            async with asyncio.timeout(timeout_s):
                yield
        except ConnectionLost as error:
            raise refusal(f"{refusal.what} cannot be stored now ({error}); send them again") from error
        except TimeoutError:
            raise refusal(f"no answer within {timeout_s * 1000:.0f} ms; send {refusal.what} again") from None

    async def write_rows(
        self, commands: Sequence[bytes], columns: int, newest_us: int, now_us: int, read_at: float
    ) -> None:
        """Write rows of ``columns`` features, once none is in the future: whoever reads one of them may use it.

        ``newest_us``: their newest event timestamp. ``read_at``: when the time ``now_us`` was known here, by
        ``time.monotonic()``. Raises ConnectionLost.
        """
        ahead_us = newest_us - now_us - (time.monotonic() - read_at) * MICROSECONDS
        if ahead_us > 0:  # after a thousand entries of one key, or when the clock was set back
            await asyncio.sleep(min(ahead_us / MICROSECONDS, MAX_WAIT_S))
        packed = b"".join(commands)
        try:
            await self.features.call(packed, len(commands))
        except ConnectionLost as error:
            if "NOSCRIPT" not in str(error):
                raise
            await self.features.call(pack(b"SCRIPT", b"LOAD", script(columns).encode()), 1)
            await self.features.call(packed, len(commands))
