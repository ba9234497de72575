"""Reads one slate's stored features straight from the Redis hashes that Feast wrote.

Two round trips at most: one for user, session and candidates, one for the companions of the items in the cart. The
values are those of ``FeatureStore.get_online_features`` with the ttl applied, which the parity check watches
(:mod:`serving.features.parity_check`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from feature_repo.online.redis_format import decoding
from feature_repo.schema import ITEM_COMPANIONS, Declaration, views
from feature_repo.slate import Row, Slate, Texts
from serving.features.entity_rows import EntityRows, stored_row
from serving.features.reading import Keys, Missing, Reading, item_views
from serving.item_cache.companion_cache import CompanionCache, CompanionRow, Companions
from serving.item_cache.hash_layout import hash_layout
from serving.item_cache.item_block import ItemBlock, ItemColumns, Reply, columns_at, decode_items
from serving.item_cache.item_cache import ItemCache
from serving.redis_client.connection import TIME, RedisConnection, time_us
from serving.ttl import is_ahead, is_valid

EventTimes = dict[str, NDArray[np.int64]]
COMPANION_ROWS = 20_000  # of about 4 kB
ITEMS_PER_CALL = 100


@dataclass(frozen=True)
class _Cart:
    """The companion rows of the items in a cart: ``rows`` from the cache, and the call for the ``missing`` ones.

    ``ticket``: of the cache, taken before the call.
    """

    rows: dict[str, CompanionRow | None]
    missing: list[str]
    replies: asyncio.Future[list[Reply]] | None
    ticket: int


class RedisReader:
    """Not thread-safe: all calls come from the loop of the connection. ``cache_bytes`` = 0 switches the caches off."""

    def __init__(self, declaration: Declaration, project: str, cache_bytes: int) -> None:
        known = views(declaration)
        self.columns = ItemColumns.of(item_views(declaration))
        self.cache = ItemCache(self.columns, cache_bytes)
        self.companion_cache = CompanionCache(COMPANION_ROWS if cache_bytes else 0)
        self.item_layout = hash_layout(self.columns.views, project)
        self._user = EntityRows(hash_layout(tuple(view for view in known if view.entity == "user"), project))
        self._session = EntityRows(hash_layout(tuple(view for view in known if view.entity == "session"), project))
        self._companions = hash_layout((ITEM_COMPANIONS,), project)

    async def read(self, keys: Keys, connection: RedisConnection) -> Reading:
        """Raises ConnectionLost."""
        users = [] if keys.user_id is None else [keys.user_id]
        sessions = [] if keys.session_id is None else [keys.session_id]
        # The time is asked for after the rows, so that no row is newer than the request.
        times = [TIME] if keys.service_us is not None and (users or sessions) else []
        commands = [self._user.layout.commands(users), self._session.layout.commands(sessions), *times]
        entities = connection.call(b"".join(commands), len(users) + len(sessions) + len(times))
        # The items are looked up while Redis answers.
        block = await self._read_items(keys.item_ids, connection)
        replies = await entities
        scored_us = keys.service_us(time_us(replies.pop())) if times and keys.service_us else keys.scored_us
        if (
            keys.service_us is not None and block.newest_us > scored_us
        ):  # a row was written after the time was asked for
            (reply,) = await connection.call(TIME, 1)
            scored_us = max(scored_us, keys.service_us(time_us(reply)))
        event_us = {view.name: block.event_us[:, j] for j, view in enumerate(self.columns.views)}
        session = self._session.row(sessions[0], replies[-1], scored_us, event_us) if sessions else Row()
        cart = self._call_companions(session.get("cart_items", ()), connection)
        # The user's row is decoded while Redis answers.
        user = self._user.row(users[0], replies[0], scored_us, event_us) if users else Row()
        items, missing = columns_at(block, self.columns, scored_us)
        companions = await self._read_companions(cart, scored_us, event_us)
        slate = Slate(scored_us, keys.item_ids, items, user, session, companions, positions=keys.positions)
        return Reading(
            slate,
            Missing(
                items=missing,
                user=not user or is_ahead(self._user.layout.times(event_us), scored_us),
                session=not session or is_ahead(self._session.layout.times(event_us), scored_us),
            ),
            event_us,
        )

    async def fill(self, ids: Sequence[str], connection: RedisConnection) -> None:
        """Read the items into the cache, as far as there is room. Raises ConnectionLost."""
        await self._read_items(ids, connection)

    async def _read_items(self, ids: Sequence[str], connection: RedisConnection) -> ItemBlock:
        plan = self.cache.plan(ids)
        try:
            read = await self._decoded(plan.missing, plan.known.texts, connection) if plan.missing else None
        except BaseException:
            self.cache.abandon(plan)
            raise
        return self.cache.complete(plan, read)

    async def _decoded(self, ids: Sequence[str], texts: tuple[Texts, ...], connection: RedisConnection) -> ItemBlock:
        """In several calls: while the replies of one are decoded, Redis works on the next."""
        parts = [ids[start : start + ITEMS_PER_CALL] for start in range(0, len(ids), ITEMS_PER_CALL)]
        calls = [connection.call(self.item_layout.commands(part), len(part)) for part in parts]
        return ItemBlock.joined([decode_items(await call, self.columns, texts) for call in calls])

    def _call_companions(self, cart: Sequence[str], connection: RedisConnection) -> _Cart:
        ticket = self.companion_cache.ticket()
        rows = {item: self.companion_cache.get(item) for item in cart}  # each once, in the order of the cart
        missing = [item for item, row in rows.items() if row is None]
        replies = connection.call(self._companions.commands(missing), len(missing)) if missing else None
        return _Cart(rows, missing, replies, ticket)

    async def _read_companions(self, cart: _Cart, scored_us: int, event_us: EventTimes) -> dict[str, Companions]:
        if not cart.rows:
            return {}
        read: dict[str, CompanionRow] = {}
        if cart.replies is not None:
            read = {item: companion_row(reply) for item, reply in zip(cart.missing, await cart.replies, strict=True)}
            self.companion_cache.store(read, cart.ticket)
        known = cast(dict[str, CompanionRow], {**cart.rows, **read})  # now none is None
        event_us[ITEM_COMPANIONS.name] = np.array([timestamp_us for timestamp_us, _ in known.values()], np.int64)
        return {
            item: companions
            for item, (timestamp_us, companions) in known.items()
            if companions is not None and is_valid(ITEM_COMPANIONS, timestamp_us, scored_us)
        }


def companion_row(reply: Reply) -> CompanionRow:
    """The row as stored. Whether it is valid depends on the request's timestamp."""
    row = stored_row(ITEM_COMPANIONS, reply[1:])
    companions = (row["companion_items"], row["companion_shares"]) if row else None
    return decoding.timestamp_us(reply[0]), companions
