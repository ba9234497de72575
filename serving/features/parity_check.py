"""The Redis reader compared with Feast's SDK, value by value, while it serves.

For a sample of the readings, the user, the session and some of the candidates are read again through Feast's SDK and
compared bit for bit. The SDK is slow, so comparisons use at most half a percent of a core. Redis may have changed in
between: on a difference both read again, and it counts only if both saw the same event timestamps. A difference that
counts is logged with view, feature, entity and both values, counted in a metric, and shown by ``/readyz`` until enough
comparisons in a row agree. The scorer continues to serve.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from feature_repo.definitions.view import KEYED, View
from feature_repo.definitions.views import ITEM_COMPANIONS, views
from feature_repo.schema import Declaration
from serving.features.reading import Keys, Reading, StoreAway, item_views
from serving.metrics import Metrics

AGREEMENTS = 100  # comparisons in a row after which a difference is no longer shown
TIMEOUT_S = 5.0
MAX_ITEMS = 5  # candidates compared per reading: requests wait for the interpreter while the SDK reads
REST = 200  # the pause before the next comparison, in durations of the last one

log = logging.getLogger(__name__)


class AsyncReader(Protocol):
    async def read(self, keys: Keys, timeout_s: float) -> Reading:
        """Raises StoreAway after at most ``timeout_s``."""
        ...


class TimedBlockingReader(Protocol):
    def read(self, keys: Keys, timeout_s: float) -> Reading:
        """Raises StoreAway after at most ``timeout_s``."""
        ...


@dataclass(frozen=True)
class Difference:
    """One value that the two readers read differently. ``entity`` is the id whose row it is."""

    view: str
    feature: str
    entity: str
    redis: Any
    feast: Any

    def __str__(self) -> str:
        return f"{self.view}:{self.feature} of {self.entity} is {self.redis!r} from Redis, {self.feast!r} from Feast"


class ParityCheck:
    """Compares ``share`` of the readings. Not thread-safe: all calls come from one event loop."""

    def __init__(
        self,
        redis: AsyncReader,
        feast: TimedBlockingReader,
        declaration: Declaration,
        metrics: Metrics,
        share: float,
    ) -> None:
        self._redis = redis
        self._feast = feast
        self._views = views(declaration)
        keyed = {view.name for view in self._views if view.entity == KEYED}
        self._item_views = {view.name for view in item_views(declaration)} | keyed
        self._metrics = metrics
        self._share = share
        self._problem: str | None = None
        self._agreements = 0  # since the last difference
        self._comparing: asyncio.Task[None] | None = None
        self._rest_until = 0.0

    @property
    def problem(self) -> str | None:
        """The last difference, until AGREEMENTS comparisons in a row found none."""
        return self._problem

    def sample(self, keys: Keys, reading: Reading) -> None:
        """Compare this reading in the background, if it is drawn. Returns at once."""
        if random.random() >= self._share or time.monotonic() < self._rest_until or self._comparing is not None:
            return
        keys = replace(keys, scored_us=reading.slate.scored_us, service_us=None)
        task = asyncio.create_task(self._compare_quietly(*some_of(keys, reading, self._item_views)))
        self._comparing = task
        task.add_done_callback(self._finished)

    async def compare(self, keys: Keys, reading: Reading | None = None) -> list[Difference]:
        """The differences that count; none where the store is away or changed in between."""
        try:
            redis = reading or await self._redis.read(keys, TIMEOUT_S)
            feast = await asyncio.to_thread(self._feast.read, keys, TIMEOUT_S)
            found = list(differences(keys, redis, feast, self._views))
            if found:
                redis = await self._redis.read(keys, TIMEOUT_S)
                feast = await asyncio.to_thread(self._feast.read, keys, TIMEOUT_S)
                found = list(differences(keys, redis, feast, self._views)) if same_times(redis, feast) else []
        except StoreAway:
            return []
        self._record(found)
        return found

    async def close(self) -> None:
        if self._comparing is not None:
            self._comparing.cancel()
            await asyncio.gather(self._comparing, return_exceptions=True)

    def _record(self, found: Sequence[Difference]) -> None:
        self._metrics.compared(len(found))
        if found:
            self._problem = f"{found[0]} ({len(found)} differences)"
            self._agreements = 0
            log.error("the features read from Redis differ from Feast's: %s", self._problem)
        elif self._problem is not None:
            self._agreements += 1
            if self._agreements >= AGREEMENTS:
                log.warning("the last %d comparisons with Feast found no difference", AGREEMENTS)
                self._problem = None

    def _finished(self, _: asyncio.Task[None]) -> None:
        self._comparing = None

    async def _compare_quietly(self, keys: Keys, reading: Reading) -> None:
        started = time.monotonic()
        try:
            await self.compare(keys, reading)
        except Exception:  # requests do not depend on the check
            log.exception("the parity check failed")
        finally:
            self._rest_until = time.monotonic() + REST * (time.monotonic() - started)


def some_of(keys: Keys, reading: Reading, item_views: Set[str]) -> tuple[Keys, Reading]:
    """The same with at most MAX_ITEMS of the candidates, drawn at random. ``item_views``: read for each of them."""
    n = len(keys.item_ids)
    if n <= MAX_ITEMS:
        return keys, reading
    positions = sorted(random.sample(range(n), MAX_ITEMS))
    ids = [keys.item_ids[i] for i in positions]
    items = {name: values[positions] for name, values in reading.slate.items.items()}
    times = {view: times[positions] if view in item_views else times for view, times in reading.event_us.items()}
    keyed = {name: values[positions] for name, values in reading.slate.keyed.items()}
    slate = replace(reading.slate, item_ids=ids, items=items, keyed=keyed, positions={})
    part = replace(reading, slate=slate, event_us=times)
    return replace(keys, item_ids=ids, positions={}), part


def same_times(one: Reading, other: Reading) -> bool:
    return one.event_us.keys() == other.event_us.keys() and all(
        np.array_equal(times, other.event_us[view]) for view, times in one.event_us.items()
    )


def differences(keys: Keys, redis: Reading, feast: Reading, known: Sequence[View]) -> Iterator[Difference]:
    """Value by value and bit for bit; NaN equals NaN, and nothing else equals null."""
    for view in known:
        if view.name == ITEM_COMPANIONS.name:
            yield from _of_rows(view, redis.slate.companions, feast.slate.companions)
        elif view.entity in ("item", KEYED):
            of_redis, of_feast = (
                (redis.slate.items, feast.slate.items)
                if view.entity == "item"
                else (redis.slate.keyed, feast.slate.keyed)
            )
            for column in view.columns:
                ours, theirs = of_redis[column.name], of_feast[column.name]
                for i in np.flatnonzero(~_equal(ours, theirs)).tolist():
                    yield Difference(view.name, column.name, keys.item_ids[i], ours[i], theirs[i])
        else:
            rows = (
                (redis.slate.user, feast.slate.user)
                if view.entity == "user"
                else (redis.slate.session, feast.slate.session)
            )
            entity = keys.user_id if view.entity == "user" else keys.session_id
            for column in view.columns:
                one, other = (row.get(column.name) for row in rows)
                if not _same(one, other):
                    yield Difference(view.name, column.name, str(entity), one, other)


def _of_rows(view: View, redis: Mapping[str, Any], feast: Mapping[str, Any]) -> Iterator[Difference]:
    for item in sorted(redis.keys() | feast.keys()):
        if not _same(redis.get(item), feast.get(item)):
            yield Difference(view.name, view.columns[0].name, item, redis.get(item), feast.get(item))


def _equal(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(n,) whether both hold the same, bit for bit."""
    if one.dtype == object:
        return np.array([_same(a, b) for a, b in zip(one.tolist(), other.tolist(), strict=True)], bool)
    bits = f"u{one.itemsize}"
    same: np.ndarray[Any, np.dtype[np.bool_]] = (
        np.ascontiguousarray(one).view(bits) == np.ascontiguousarray(other).view(bits)
    ) | (np.isnan(one) & np.isnan(other))
    return same


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other or (isinstance(one, float) and one != one and other != other))
