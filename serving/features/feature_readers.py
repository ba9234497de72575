"""Both readers of one data set's features: Redis directly for requests, and Feast's SDK to compare with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from feature_repo.schema import Declaration
from feature_repo.store import open_store
from infra.redis_server.server import endpoint
from infra.settings import Settings
from serving.features.circuit_breaker import CircuitBreaker
from serving.features.feast_reader import FeastReader
from serving.features.feature_client import FeatureClient
from serving.features.parity_check import ParityCheck
from serving.features.reading import Keys, Reading, StoreAway
from serving.features.redis_reader import Entities, RedisReader
from serving.metrics import Metrics

OPEN_TIMEOUT_S = 5.0
MEGABYTE = 1 << 20
FIRST_CHECK_ITEMS = 100


@dataclass(frozen=True, eq=False)
class FeatureReaders:
    """Requests read by ``client``; ``parity`` compares a sample of what they read with ``feast``."""

    declaration: Declaration
    client: FeatureClient
    feast: CircuitBreaker
    parity: ParityCheck

    @staticmethod
    async def open(
        declaration: Declaration, settings: Settings, metrics: Metrics, now_us: Callable[[], int]
    ) -> FeatureReaders:
        """Connect, and compare some items before the first request. A store that is away delays this a little."""
        reader = RedisReader(declaration, settings.dataset, settings.item_cache_mb * MEGABYTE)
        client = FeatureClient(reader, lambda: endpoint(settings))
        feast = CircuitBreaker(lambda: FeastReader(open_store(settings, offline=False), declaration))
        await asyncio.gather(client.start(OPEN_TIMEOUT_S), asyncio.to_thread(feast.open, OPEN_TIMEOUT_S))
        parity = ParityCheck(client, feast, declaration, metrics, settings.self_check_share)
        readers = FeatureReaders(declaration, client, feast, parity)
        await readers._first_check(now_us())
        return readers

    async def read(self, keys: Keys, timeout_s: float) -> Reading:
        """Raises StoreAway after at most ``timeout_s``."""
        reading = await self.client.read(keys, timeout_s)
        self.parity.sample(keys, reading)
        return reading

    async def entities(self, keys: Keys, timeout_s: float) -> Entities:
        """User and session alone, before the candidates are known. Raises StoreAway after at most ``timeout_s``."""
        return await self.client.entities(keys, timeout_s)

    async def items(self, entities: Entities, keys: Keys, timeout_s: float) -> Reading:
        """The reading with these candidates. Raises StoreAway after at most ``timeout_s``."""
        reading = await self.client.items(entities, keys, timeout_s)
        self.parity.sample(keys, reading)
        return reading

    async def close(self) -> None:
        await self.parity.close()
        self.feast.close()
        await self.client.close()

    async def _first_check(self, now_us: int) -> None:
        try:
            ids = await self.client.some_ids(FIRST_CHECK_ITEMS)
        except StoreAway:
            return
        if ids:
            await self.parity.compare(Keys(None, None, ids, now_us))
