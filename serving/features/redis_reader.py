"""What the online store knows of one slate, read straight from the hashes that Feast wrote.

Two round trips at most: user, session and candidates together, then the companions of what is in the cart. The
values are those of ``FeatureStore.get_online_features`` with the ttl applied; ``FeastReader`` is
the slow road to the same reading.
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
from serving.features.entity_rows import EntityRows, is_valid, stored_row
from serving.features.feast_reader import Keys, Missing, Reading, item_views
from serving.item_cache.companion_cache import CompanionCache, CompanionRow, Companions
from serving.item_cache.hash_layout import hash_layout
from serving.item_cache.item_block import ItemBlock, ItemColumns, Reply, columns_at, decode_items
from serving.item_cache.item_cache import ItemCache
from serving.redis_client.connection import RedisConnection

EventTimes = dict[str, NDArray[np.int64]]
COMPANION_ROWS = 20_000  # of about 4 kB
PIECE = 100  # items


@dataclass(frozen=True)
class _Cart:
    """The items in a cart, the rows of those that are kept, and the call for the ``missing`` ones', None without any.

    ``ticket``: of the cache, from before the call.
    """

    rows: dict[str, CompanionRow | None]
    missing: list[str]
    replies: asyncio.Future[list[Reply]] | None
    ticket: int


class OnlineReader:
    """Not for threads: all calls come from the loop of ``link``. ``cache_bytes`` = 0: no item is kept.

    Made off the event loop: see ItemCache.
    """

    def __init__(self, declaration: Declaration, project: str, cache_bytes: int) -> None:
        known = views(declaration)
        self.columns = ItemColumns.of(item_views(declaration))
        self.cache = ItemCache(self.columns, cache_bytes)
        self.companion_cache = CompanionCache(COMPANION_ROWS if cache_bytes else 0)
        self.item_layout = hash_layout(self.columns.views, project)
        self._user = EntityRows(hash_layout(tuple(view for view in known if view.entity == "user"), project))
        self._session = EntityRows(hash_layout(tuple(view for view in known if view.entity == "session"), project))
        self._companions = hash_layout((ITEM_COMPANIONS,), project)

    async def read(self, keys: Keys, link: RedisConnection) -> Reading:
        """Raises LinkDown."""
        users = [] if keys.user_id is None else [keys.user_id]
        sessions = [] if keys.session_id is None else [keys.session_id]
        entities = link.call(
            self._user.layout.commands(users) + self._session.layout.commands(sessions), len(users) + len(sessions)
        )
        # Redis works on them while the cache is looked up.
        block = await self._read_items(keys.item_ids, link)
        items, missing = columns_at(block, self.columns, keys.scored_us)
        replies = await entities
        event_us = {view.name: block.event_us[:, j] for j, view in enumerate(self.columns.views)}
        session = self._session.row(sessions[0], replies[-1], keys.scored_us, event_us) if sessions else Row()
        cart = self._ask_companions(session.get("cart_items", ()), link)
        # As it does on these while the user's row is decoded.
        user = self._user.row(users[0], replies[0], keys.scored_us, event_us) if users else Row()
        companions = await self._read_companions(cart, keys.scored_us, event_us)
        slate = Slate(keys.scored_us, keys.item_ids, items, user, session, companions, positions=keys.positions)
        return Reading(slate, Missing(items=missing, user=not user, session=not session), event_us)

    async def fill(self, ids: Sequence[str], link: RedisConnection) -> None:
        """Have the items kept, as far as there is room. Raises LinkDown."""
        await self._read_items(ids, link)

    async def _read_items(self, ids: Sequence[str], link: RedisConnection) -> ItemBlock:
        plan = self.cache.plan(ids)
        try:
            fresh = await self._decoded(plan.missing, plan.known.texts, link) if plan.missing else None
        except BaseException:
            self.cache.abandon(plan)
            raise
        return self.cache.complete(plan, fresh)

    async def _decoded(self, ids: Sequence[str], texts: tuple[Texts, ...], link: RedisConnection) -> ItemBlock:
        """In pieces: while one is decoded, Redis works on the next."""
        pieces = [ids[start : start + PIECE] for start in range(0, len(ids), PIECE)]
        calls = [link.call(self.item_layout.commands(piece), len(piece)) for piece in pieces]
        return ItemBlock.joined([decode_items(await call, self.columns, texts) for call in calls])

    def _ask_companions(self, cart: Sequence[str], link: RedisConnection) -> _Cart:
        ticket = self.companion_cache.ticket()
        rows = {item: self.companion_cache.get(item) for item in cart}  # each once, in the order of the cart
        missing = [item for item, row in rows.items() if row is None]
        replies = link.call(self._companions.commands(missing), len(missing)) if missing else None
        return _Cart(rows, missing, replies, ticket)

    async def _read_companions(self, cart: _Cart, scored_us: int, event_us: EventTimes) -> dict[str, Companions]:
        if not cart.rows:
            return {}
        fresh: dict[str, CompanionRow] = {}
        if cart.replies is not None:
            fresh = {item: companion_row(reply) for item, reply in zip(cart.missing, await cart.replies, strict=True)}
            self.companion_cache.keep(fresh, cart.ticket)
        known = cast(dict[str, CompanionRow], {**cart.rows, **fresh})  # none is missing any longer
        event_us[ITEM_COMPANIONS.name] = np.array([timestamp for timestamp, _ in known.values()], np.int64)
        return {
            item: found
            for item, (timestamp, found) in known.items()
            if found is not None and is_valid(ITEM_COMPANIONS, timestamp, scored_us)
        }


def companion_row(reply: Reply) -> CompanionRow:
    """Whether it is valid depends on the request's moment, which is not known here."""
    row = stored_row(ITEM_COMPANIONS, reply[1:])
    found = (row["companion_items"], row["companion_shares"]) if row else None
    return decoding.timestamp_us(reply[0]), found
