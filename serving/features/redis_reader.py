"""Reads one slate's stored features straight from the Redis hashes that Feast wrote.

Two round trips at most: one for user, session and candidates, one for the companions of the items in the cart. Where
the candidates depend on user and session, these are read first. The values are those of
``FeatureStore.get_online_features`` with the ttl applied, which the parity check watches
(:mod:`serving.features.parity_check`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from feature_repo.definitions.views import ITEM_COMPANIONS, views
from feature_repo.online.redis_format import decoding
from feature_repo.schema import Declaration
from feature_repo.slate import Row, Slate, Texts
from serving.features.entity_rows import EntityRows, stored_row
from serving.features.keyed_views import KeyedViews
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


@dataclass(frozen=True)
class Entities:
    """User and session of a request as read at ``scored_us``, with the call for the companions of the cart.

    ``event_us``: see :attr:`serving.features.reading.Reading.event_us`.
    """

    scored_us: int
    user: Row
    session: Row
    event_us: EventTimes
    cart: _Cart

    @staticmethod
    def unknown(scored_us: int) -> Entities:
        """Of a request without a user and a session."""
        return Entities(scored_us, Row(), Row(), {}, _Cart({}, [], None, 0))


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
        self._keyed = KeyedViews(declaration, project)

    async def read(self, keys: Keys, connection: RedisConnection) -> Reading:
        """Raises ConnectionLost."""
        entities = self._call_entities(keys, connection)
        # The items are looked up while Redis answers.
        block = await self._read_items(keys.item_ids, connection)
        entities_read = await self._entities(keys, entities, connection, block.newest_us)
        return await self._reading(entities_read, keys, block, connection)

    async def entities(self, keys: Keys, connection: RedisConnection) -> Entities:
        """User and session alone; :meth:`items` completes the reading. Raises ConnectionLost."""
        return await self._entities(keys, self._call_entities(keys, connection), connection)

    async def items(self, entities: Entities, keys: Keys, connection: RedisConnection) -> Reading:
        """The reading for the items of ``keys``, with the user, the session and the timestamp of ``entities``.

        With ``keys.service_us`` the timestamp is later where an item has changed since. Raises ConnectionLost.
        """
        block = await self._read_items(keys.item_ids, connection)
        scored_us = await self._not_before(block.newest_us, entities.scored_us, keys, connection)
        return await self._reading(replace(entities, scored_us=scored_us), keys, block, connection)

    def _call_entities(self, keys: Keys, connection: RedisConnection) -> asyncio.Future[list[Any]]:
        users, sessions = _listed(keys.user_id), _listed(keys.session_id)
        # The time is asked for after the rows, so that no row is newer than the request.
        times = [TIME] if _asks_time(keys) else []
        commands = [self._user.layout.commands(users), self._session.layout.commands(sessions), *times]
        return connection.call(b"".join(commands), len(users) + len(sessions) + len(times))

    async def _not_before(self, newest_us: int, scored_us: int, keys: Keys, connection: RedisConnection) -> int:
        """A later timestamp, asked of the store, if an item's row is newer: it was written since, or the scorer's clock
        is behind. A row that is ahead of the store, too, stays in the future."""
        if keys.service_us is None or newest_us <= scored_us:
            return scored_us
        (reply,) = await connection.call(TIME, 1)
        return max(scored_us, keys.service_us(time_us(reply)))

    async def _entities(
        self, keys: Keys, call: asyncio.Future[list[Any]], connection: RedisConnection, newest_us: int = 0
    ) -> Entities:
        """``newest_us``: the newest event timestamp of the items that are read with them."""
        replies = await call
        users, sessions = _listed(keys.user_id), _listed(keys.session_id)
        scored_us = keys.scored_us
        if _asks_time(keys) and keys.service_us is not None:
            scored_us = keys.service_us(time_us(replies.pop()))
        scored_us = await self._not_before(newest_us, scored_us, keys, connection)
        event_us: EventTimes = {}
        session = self._session.row(sessions[0], replies[-1], scored_us, event_us) if sessions else Row()
        cart = self._call_companions(session.get("cart_items", ()), connection)
        # The user's row is decoded while Redis answers.
        user = self._user.row(users[0], replies[0], scored_us, event_us) if users else Row()
        return Entities(scored_us, user, session, event_us, cart)

    async def _reading(self, entities: Entities, keys: Keys, block: ItemBlock, connection: RedisConnection) -> Reading:
        scored_us, user, session = entities.scored_us, entities.user, entities.session
        event_us = {view.name: block.event_us[:, j] for j, view in enumerate(self.columns.views)} | entities.event_us
        items, missing = columns_at(block, self.columns, scored_us)
        companions = await self._read_companions(entities.cart, scored_us, event_us)
        keyed = await self._keyed.read(connection, keys, items, scored_us, event_us)
        slate = Slate(scored_us, keys.item_ids, items, user, session, companions, positions=keys.positions, keyed=keyed)
        return Reading(
            slate,
            Missing(
                items=missing,
                user=not user or is_ahead(self._user.layout.times(event_us), scored_us),
                session=not session or is_ahead(self._session.layout.times(event_us), scored_us),
            ),
            event_us,
        )

    def first_seen_since(self, since_us: int) -> list[str]:
        """The cached items that were first seen at or after the timestamp, and those without a row that says when."""
        return self.cache.ids_from("first_seen_us", since_us)

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


def _listed(key: str | None) -> list[str]:
    return [] if key is None else [key]


def _asks_time(keys: Keys) -> bool:
    return keys.service_us is not None and (keys.user_id is not None or keys.session_id is not None)


def companion_row(reply: Reply) -> CompanionRow:
    """The row as stored. Whether it is valid depends on the request's timestamp."""
    row = stored_row(ITEM_COMPANIONS, reply[1:])
    companions = (row["companion_items"], row["companion_shares"]) if row else None
    return decoding.timestamp_us(reply[0]), companions
