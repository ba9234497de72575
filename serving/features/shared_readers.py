"""The feature readers of all models in service: models of one declaration share them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from feature_repo.schema import Declaration
from infra.limits import MAX_DEADLINE_MS
from infra.settings import Settings
from serving.features.feature_readers import FeatureReaders
from serving.features.reading import Keys
from serving.metrics import Metrics

LAST_READS_S = MAX_DEADLINE_MS / 1000  # no request takes longer


class SharedReaders:
    """``now_us``: the service's time, µs since the epoch.

    :meth:`take` is called by one thread, which is not the loop's; requests read on the loop that called :meth:`start`.
    Readers that no model uses any more are closed when their last requests have ended.
    """

    def __init__(self, settings: Settings, metrics: Metrics, now_us: Callable[[], int]) -> None:
        self._settings = settings
        self._metrics = metrics
        self._now_us = now_us
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        self._of: dict[str, FeatureReaders] = {}  # name of a model -> its readers
        self._retiring: dict[FeatureReaders, asyncio.Task[None]] = {}

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._is_closed = False

    def of(self, model: str) -> FeatureReaders | None:
        return self._of.get(model)

    def take(self, model: str, declaration: Declaration) -> FeatureReaders:
        """The readers of ``declaration``, opened if no model has them; ``model`` leaves those it had.

        Raises RuntimeError where all are being closed.
        """
        loop = self._loop
        assert loop is not None  # start() comes first
        readers = next((each for each in self._of.values() if each.declaration == declaration), None)
        if readers is None:
            opening = FeatureReaders.open(declaration, self._settings, self._metrics, self._now_us)
            readers = asyncio.run_coroutine_threadsafe(opening, loop).result()
        if self._is_closed:
            asyncio.run_coroutine_threadsafe(readers.close(), loop)
            raise RuntimeError("the feature readers are closed")
        old = self._of.get(model)
        self._of[model] = readers
        if old is not None and old not in self._of.values():
            loop.call_soon_threadsafe(self._retire, old)
        return readers

    def try_read(self, model: str, keys: Keys, timeout_s: float) -> None:
        """Read as requests do, from any thread but the loop's. Raises StoreAway."""
        readers, loop = self._of.get(model), self._loop
        if readers is not None and loop is not None:
            asyncio.run_coroutine_threadsafe(readers.client.read(keys, timeout_s), loop).result()

    async def close(self) -> None:
        """It can be started again."""
        self._is_closed = True
        for task in self._retiring.values():
            task.cancel()
        await asyncio.gather(*self._retiring.values(), return_exceptions=True)
        left = {*self._retiring, *self._of.values()}
        self._of.clear()
        self._retiring.clear()
        await asyncio.gather(*(each.close() for each in left))

    def _retire(self, readers: FeatureReaders) -> None:
        async def close_later() -> None:
            await asyncio.sleep(LAST_READS_S)  # requests that have begun still read by it
            await readers.close()
            del self._retiring[readers]

        self._retiring[readers] = asyncio.ensure_future(close_later())
