"""Both roads to the features of one data set: the fast one over Redis' own protocol, and Feast's SDK to hold it to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from feature_repo.schema import Declaration
from feature_repo.store import open_store
from infra.redis_server.server import endpoint
from infra.settings import Settings
from serving.features.circuit_breaker import GuardedReader
from serving.features.feast_reader import FeastReader, Keys, StoreAway
from serving.features.feature_client import OnlineFeatures
from serving.features.parity_check import CheckedReader
from serving.features.redis_reader import OnlineReader
from serving.metrics import Metrics

OPEN_TIMEOUT_S = 5.0
MEGABYTE = 1 << 20
FIRST_CHECK_ITEMS = 100


@dataclass(frozen=True, eq=False)
class FeatureReaders:
    """``checked`` is what requests read by: ``fast`` while it is trusted, else ``slow``."""

    declaration: Declaration
    fast: OnlineFeatures
    slow: GuardedReader
    checked: CheckedReader

    @staticmethod
    async def open(
        declaration: Declaration, settings: Settings, metrics: Metrics, now_us: Callable[[], int]
    ) -> FeatureReaders:
        """Opened, and compared on some items before the first request; a store that is away delays this a little."""
        cache_bytes = settings.item_cache_mb * MEGABYTE
        reader = await asyncio.to_thread(OnlineReader, declaration, settings.dataset, cache_bytes)
        fast = OnlineFeatures(reader, lambda: endpoint(settings))
        slow = GuardedReader(lambda: FeastReader(open_store(settings, offline=False), declaration))
        await asyncio.gather(fast.start(OPEN_TIMEOUT_S), asyncio.to_thread(slow.open, OPEN_TIMEOUT_S))
        readers = FeatureReaders(
            declaration, fast, slow, CheckedReader(fast, slow, declaration, metrics, settings.self_check_share)
        )
        await readers._first_check(now_us())
        return readers

    async def close(self) -> None:
        await self.checked.close()
        self.slow.close()
        await self.fast.close()

    async def _first_check(self, now_us: int) -> None:
        try:
            ids = await self.fast.some_ids(FIRST_CHECK_ITEMS)
        except StoreAway:
            return
        if ids:
            await self.checked.compare(Keys(None, None, ids, now_us))
