"""The fast road held against the slow one, value by value, while it serves.

Of a sample of the readings the user, the session and some of the candidates are read again through Feast's SDK and
compared bit for bit; the SDK is slow, so this is done only as often as it costs half a percent of a core. Redis may
have changed in between, so on a difference both are read again, and it counts only if both roads saw the same event
timestamps.
A difference that counts is logged with view, feature, entity and both values, and requests are served by the slow
road until so many comparisons in a row agree.
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

from feature_repo.schema import ITEM_COMPANIONS, Declaration, View, views
from serving.features.feast_reader import Keys, Reading, StoreAway, item_views
from serving.metrics import Metrics

AGREEMENTS = 1_000  # in a row, before the fast road is trusted again
TIMEOUT_S = 5.0
AT_ONCE = 1  # comparisons under way; more are left out, so that they never crowd out requests
MAX_ITEMS = 5  # candidates compared of one reading: the SDK keeps the interpreter from requests while it reads
REST = 200  # times as long as a comparison took, until the next one

log = logging.getLogger(__name__)


class AsyncReader(Protocol):
    async def read(self, keys: Keys, timeout_s: float) -> Reading:
        """Raises StoreAway after at most ``timeout_s``."""
        ...


class BlockingReader(Protocol):
    def read(self, keys: Keys, timeout_s: float) -> Reading:
        """Raises StoreAway after at most ``timeout_s``."""
        ...


@dataclass(frozen=True)
class Difference:
    """One value that the two roads read differently. ``entity`` is the id whose row it is."""

    view: str
    feature: str
    entity: str
    fast: Any
    slow: Any


class CheckedReader:
    """Reads by the fast road while it is trusted, else by the slow one. ``share`` of the readings are compared."""

    def __init__(
        self, fast: AsyncReader, slow: BlockingReader, declaration: Declaration, metrics: Metrics, share: float
    ) -> None:
        self._fast = fast
        self._slow = slow
        self._views = views(declaration)
        self._item_views = {view.name for view in item_views(declaration)}
        self._metrics = metrics
        self._share = share
        self._distrust = 0  # agreements that are still wanted
        self._comparing: set[asyncio.Task[None]] = set()
        self._rest_until = 0.0

    @property
    def trusts_fast(self) -> bool:
        return self._distrust == 0

    async def read(self, keys: Keys, timeout_s: float) -> Reading:
        """Raises StoreAway."""
        if self.trusts_fast:
            reading = await self._fast.read(keys, timeout_s)
            if random.random() < self._share and time.monotonic() >= self._rest_until:
                self._compare_later(*some_of(keys, reading, self._item_views))
            return reading
        try:
            async with asyncio.timeout(max(timeout_s, 0.0)):  # threads may be waited for, too
                reading = await asyncio.to_thread(self._slow.read, keys, timeout_s)
        except TimeoutError:
            raise StoreAway(f"no answer within {max(timeout_s, 0.0) * 1000:.0f} ms") from None
        self._compare_later(keys, None)
        return reading

    async def compare(self, keys: Keys, fast: Reading | None = None) -> list[Difference]:
        """What counts as different; none where the store is away or changed meanwhile."""
        try:
            fast = fast or await self._fast.read(keys, TIMEOUT_S)
            slow = await asyncio.to_thread(self._slow.read, keys, TIMEOUT_S)
            found = list(differences(keys, fast, slow, self._views))
            if found:
                fast = await self._fast.read(keys, TIMEOUT_S)
                slow = await asyncio.to_thread(self._slow.read, keys, TIMEOUT_S)
                found = list(differences(keys, fast, slow, self._views)) if same_times(fast, slow) else []
        except StoreAway:
            return []
        self._judge(found)
        return found

    async def close(self) -> None:
        for task in self._comparing:
            task.cancel()
        await asyncio.gather(*self._comparing, return_exceptions=True)

    def _judge(self, found: Sequence[Difference]) -> None:
        self._metrics.compared(len(found))
        if found:
            first = found[0]
            log.error(
                "the fast road read %s:%s of %s as %r, Feast as %r (%d differences); serving by Feast's",
                first.view, first.feature, first.entity, first.fast, first.slow, len(found),
            )  # fmt: skip
            self._distrust = AGREEMENTS
        elif self._distrust:
            self._distrust -= 1
            if self.trusts_fast:
                log.warning("%d comparisons in a row agree: serving by the fast road again", AGREEMENTS)
        self._metrics.road(is_fast=self.trusts_fast)

    def _compare_later(self, keys: Keys, reading: Reading | None) -> None:
        if len(self._comparing) >= AT_ONCE:
            return
        task = asyncio.create_task(self._compare_quietly(keys, reading))
        self._comparing.add(task)
        task.add_done_callback(self._comparing.discard)

    async def _compare_quietly(self, keys: Keys, reading: Reading | None) -> None:
        started = time.monotonic()
        try:
            await self.compare(keys, reading)
        except Exception:  # a check that fails is no reason to fail
            log.exception("the self-check failed")
        finally:
            self._rest_until = time.monotonic() + REST * (time.monotonic() - started)


def some_of(keys: Keys, reading: Reading, item_views: Set[str]) -> tuple[Keys, Reading]:
    """The same with at most MOST_ITEMS of the candidates, drawn at random. ``item_views``: read for each of them."""
    n = len(keys.item_ids)
    if n <= MAX_ITEMS:
        return keys, reading
    positions = sorted(random.sample(range(n), MAX_ITEMS))
    ids = [keys.item_ids[i] for i in positions]
    items = {name: values[positions] for name, values in reading.slate.items.items()}
    times = {view: times[positions] if view in item_views else times for view, times in reading.event_us.items()}
    part = replace(reading, slate=replace(reading.slate, item_ids=ids, items=items, positions={}), event_us=times)
    return replace(keys, item_ids=ids, positions={}), part


def same_times(one: Reading, other: Reading) -> bool:
    return one.event_us.keys() == other.event_us.keys() and all(
        np.array_equal(times, other.event_us[view]) for view, times in one.event_us.items()
    )


def differences(keys: Keys, fast: Reading, slow: Reading, known: Sequence[View]) -> Iterator[Difference]:
    """Value by value and bit for bit; NaN equals NaN, and nothing else equals null."""
    for view in known:
        if view.name == ITEM_COMPANIONS.name:
            yield from _of_rows(view, fast.slate.companions, slow.slate.companions)
        elif view.entity == "item":
            for column in view.columns:
                mine, theirs = fast.slate.items[column.name], slow.slate.items[column.name]
                for i in np.flatnonzero(~_equal(mine, theirs)).tolist():
                    yield Difference(view.name, column.name, keys.item_ids[i], mine[i], theirs[i])
        else:
            rows = (
                (fast.slate.user, slow.slate.user)
                if view.entity == "user"
                else (fast.slate.session, slow.slate.session)
            )
            entity = keys.user_id if view.entity == "user" else keys.session_id
            for column in view.columns:
                one, other = (row.get(column.name) for row in rows)
                if not _same(one, other):
                    yield Difference(view.name, column.name, str(entity), one, other)


def _of_rows(view: View, fast: Mapping[str, Any], slow: Mapping[str, Any]) -> Iterator[Difference]:
    for item in sorted(fast.keys() | slow.keys()):
        if not _same(fast.get(item), slow.get(item)):
            yield Difference(view.name, view.columns[0].name, item, fast.get(item), slow.get(item))


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
