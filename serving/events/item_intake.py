"""Accepts a batch of changes of items: each gets a timestamp, counts once, is durable, and is in the next answer.

Three round trips to Redis: the time, and the rows of the items; the acceptance, which merges each change with its
item's newest known row (:mod:`feature_repo.live.items.acceptance`); the new rows. With the second step's reply, the
changes are on disk. If the third step fails, the consumer of the stream writes the rows later.

Redis reports the written keys to every scorer, whose item cache then evicts these rows (:mod:`serving.item_cache`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.definitions.views import item_attributes_view
from feature_repo.live.items.acceptance import (
    ItemKeys,
    Merged,
    OfferedChange,
    Outcome,
    StoredRow,
    accept_commands,
    backlog,
    outcomes,
)
from feature_repo.live.items.change import text_of
from feature_repo.live.items.rows import item_rows
from feature_repo.online.call_packing import calls
from feature_repo.online.writer import ROWS_PER_CALL
from feature_repo.schema import Declaration, item_values
from infra.clock import Clock, epoch_us
from infra.settings import Settings
from serving.errors import ItemsNotStored, NotReady
from serving.events.event_schema import RejectedEvent
from serving.events.item_schema import ItemsAnswer, SentChange, parse_items
from serving.events.live_store import LiveStore
from serving.events.stored_items import StoredItem, StoredItems
from serving.metrics import Metrics
from serving.redis_client.connection import TIME, ConnectionLost, time_us

CONFLICT = "change_id is known with another body"

log = logging.getLogger(__name__)


class ItemIntake:
    """Not thread-safe: all calls come from the loop that called ``start``.

    ``served``: the declaration of the model in service, None without a model.
    """

    def __init__(
        self, settings: Settings, clock: Clock, metrics: Metrics, served: Callable[[], Declaration | None]
    ) -> None:
        self._settings = settings
        self._keys = ItemKeys(settings.dataset)
        self._clock = clock
        self._metrics = metrics
        self._served = served
        self._store = LiveStore(settings)

    async def start(self, timeout_s: float) -> None:
        await self._store.start(timeout_s)

    async def close(self) -> None:
        await self._store.close()

    async def take(self, content: bytes, timeout_s: float) -> ItemsAnswer:
        """Accept what can be accepted of a body.

        Raises InvalidRequest, NotReady, and ItemsNotStored; then some may be accepted, and all can be sent again.
        """
        declaration = self._declaration()
        sent = parse_items(content, declaration)
        async with self._store.accepting(timeout_s, ItemsNotStored):
            return await self._take(sent, declaration)

    def _declaration(self) -> Declaration:
        try:
            return self._served() or declaration_of(self._settings)
        except DatasetError as error:
            raise NotReady([f"neither a model nor a log says what attributes items have: {error}"]) from error

    async def _take(self, sent: Sequence[SentChange | str], declaration: Declaration) -> ItemsAnswer:
        rejected = {i: each for i, each in enumerate(sent) if isinstance(each, str)}
        good = {i: each for i, each in enumerate(sent) if isinstance(each, SentChange)}
        now_us, stored = await self._now_and_stored({each.change.item_id for each in good.values()}, declaration)
        read_at = time.monotonic()
        known = {name for name, found in stored.items() if found.event_us}
        for i, each in list(good.items()):
            problem = None if each.change.item_id in known else _lacks(each, declaration)
            if problem is None:
                known.add(each.change.item_id)
            else:
                rejected[i] = problem
                del good[i]
        rows = {name: _stored_row(found, declaration) for name, found in stored.items()}
        offered = [OfferedChange(each.change, each.body, rows[each.change.item_id]) for each in good.values()]
        found = await self._accept(offered, now_us)
        rejected |= {i: CONFLICT for i, outcome in zip(good, found, strict=True) if outcome == "conflict"}
        names = [each.change.item_id for each in good.values()]
        merged = [(name, each) for name, each in zip(names, found, strict=True) if isinstance(each, Merged)]
        await self._write(merged, declaration, now_us, read_at)
        duplicates = found.count("duplicate")
        self._metrics.item_changes(len(merged), duplicates, len(rejected))
        reasons = [RejectedEvent(index=i, reason=reason) for i, reason in sorted(rejected.items())]
        return ItemsAnswer(len(merged), duplicates, reasons)

    async def _now_and_stored(self, items: set[str], declaration: Declaration) -> tuple[int, Mapping[str, StoredItem]]:
        """The time of the Redis that holds the rows, and the rows. Raises ConnectionLost."""
        names = sorted(items)
        reader = StoredItems(item_attributes_view(declaration), self._keys.dataset)
        replies = await self._store.features.call(reader.commands(names) + TIME, len(names) + 1)
        now_us = epoch_us(self._clock.at(time_us(replies.pop())))
        return now_us, dict(zip(names, reader.items(replies, now_us), strict=True))

    async def _accept(self, offered: Sequence[OfferedChange], now_us: int) -> list[Outcome]:
        """Raises ConnectionLost."""
        if not offered:
            return []
        commands = accept_commands(self._keys, offered, now_us)
        replies = await self._store.events.call(b"".join(commands), len(commands))
        self._metrics.item_backlog(backlog(replies))
        return outcomes(replies)

    async def _write(
        self, merged: Sequence[tuple[str, Merged]], declaration: Declaration, now_us: int, read_at: float
    ) -> None:
        if not merged:
            return
        rows = item_rows(merged, declaration, self._keys.dataset)
        commands = list(calls(rows, ROWS_PER_CALL, key_ttl_seconds=0))
        newest_us = max(each.row_us for _, each in merged)
        try:
            await self._store.write_rows(commands, len(rows.values), newest_us, now_us, read_at)
        except ConnectionLost as error:
            log.warning("%d items are not written; the stream's consumer will write them: %s", len(rows), error)


def _stored_row(found: StoredItem, declaration: Declaration) -> StoredRow:
    if not found.event_us:
        return StoredRow(0, {})
    row = {c.name: text_of(found.values.get(c.name), c.dtype) for c in item_values(declaration)}
    return StoredRow(found.event_us, row)


def _lacks(sent: SentChange, declaration: Declaration) -> str | None:
    """Why a new item cannot be accepted, or None."""
    required = [column.name for column in item_values(declaration) if not column.nullable]
    lacking = [name for name in required if name not in sent.change.values]
    return f"the item is new and needs {', '.join(lacking)}" if lacking else None
