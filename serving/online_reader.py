"""What the online store knows of one slate, read straight from the hashes that Feast wrote.

Two round trips at most: user, session and candidates together, then the companions of what is in the cart. The
values are those of ``FeatureStore.get_online_features`` with the ttl applied; :class:`serving.reader.FeastReader` is
the slow road to the same reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_repo.online import decoding
from feature_repo.schema import ITEM_COMPANIONS, Declaration, View, views
from feature_repo.slate import Slate, view_row
from serving.companion_cache import CompanionCache, Row
from serving.hash_layout import HashLayout, hash_layout
from serving.item_block import MICROSECOND, ItemColumns, Reply, columns_at
from serving.item_cache import ItemCache
from serving.reader import Keys, Missing, Reading, item_views
from serving.redis_link import RedisLink

EventTimes = dict[str, NDArray[np.int64]]
COMPANION_ROWS = 20_000  # of about 4 kB


class OnlineReader:
    """Not for threads: all calls come from the loop of ``link``. ``cache_bytes`` = 0: no item is kept."""

    def __init__(self, declaration: Declaration, project: str, cache_bytes: int) -> None:
        known = views(declaration)
        self.columns = ItemColumns.of(item_views(declaration))
        self.cache = ItemCache(self.columns, cache_bytes)
        self.companion_cache = CompanionCache(COMPANION_ROWS if cache_bytes else 0)
        self.item_layout = hash_layout(self.columns.views, project)
        self._user = hash_layout(tuple(view for view in known if view.entity == "user"), project)
        self._session = hash_layout(tuple(view for view in known if view.entity == "session"), project)
        self._companions = hash_layout((ITEM_COMPANIONS,), project)

    async def read(self, keys: Keys, link: RedisLink) -> Reading:
        """Raises LinkDown."""
        users = [] if keys.user_id is None else [keys.user_id]
        sessions = [] if keys.session_id is None else [keys.session_id]
        plan = self.cache.plan(keys.item_ids)
        packed = self._user.commands(users) + self._session.commands(sessions) + self.item_layout.commands(plan.missing)
        entities = len(users) + len(sessions)
        try:
            replies = await link.call(packed, entities + len(plan.missing)) if packed else []
        except BaseException:
            self.cache.abandon(plan)
            raise
        block = self.cache.complete(plan, replies[entities:])
        event_us = {view.name: block.event_us[:, j] for j, view in enumerate(self.columns.views)}
        user = entity_row(self._user, replies[0], keys.scored_us, event_us) if users else {}
        session = entity_row(self._session, replies[len(users)], keys.scored_us, event_us) if sessions else {}
        items, missing = columns_at(block, self.columns, keys.scored_us)
        companions = await self._read_companions(session.get("cart_items", ()), keys.scored_us, link, event_us)
        slate = Slate(keys.scored_us, keys.item_ids, items, user, session, companions)
        return Reading(slate, Missing(items=missing, user=not user, session=not session), event_us)

    async def fill(self, ids: Sequence[str], link: RedisLink) -> None:
        """Have the items kept, as far as there is room. Raises LinkDown."""
        plan = self.cache.plan(ids)
        try:
            replies = (
                await link.call(self.item_layout.commands(plan.missing), len(plan.missing)) if plan.missing else []
            )
        except BaseException:
            self.cache.abandon(plan)
            raise
        self.cache.complete(plan, replies)

    async def _read_companions(
        self, cart: Sequence[str], scored_us: int, link: RedisLink, event_us: EventTimes
    ) -> dict[str, tuple[list[str], list[float]]]:
        wanted = list(dict.fromkeys(cart))
        if not wanted:
            return {}
        rows = {item: row for item in wanted if (row := self.companion_cache.get(item)) is not None}
        missing = [item for item in wanted if item not in rows]
        if missing:
            ticket = self.companion_cache.ticket()
            replies = await link.call(self._companions.commands(missing), len(missing))
            fresh = {item: companion_row(reply) for item, reply in zip(missing, replies, strict=True)}
            self.companion_cache.keep(fresh, ticket)
            rows |= fresh
        event_us[ITEM_COMPANIONS.name] = np.array([rows[item][0] for item in wanted], np.int64)
        valid = {item: rows[item][1] for item in wanted if is_valid(ITEM_COMPANIONS, rows[item][0], scored_us)}
        return {item: (row["companion_items"], row["companion_shares"]) for item, row in valid.items() if row}


def entity_row(layout: HashLayout, reply: Reply, scored_us: int, event_us: EventTimes) -> dict[str, Any]:
    """The columns of the views that have a valid row at ``scored_us``; their timestamps go into ``event_us``."""
    found: dict[str, Any] = {}
    place = len(layout.views)
    stamps = decoding.event_us(reply[: len(layout.views)])
    for j, view in enumerate(layout.views):
        stored = reply[place : place + len(view.columns)]
        place += len(view.columns)
        event_us[view.name] = stamps[j : j + 1]
        if is_valid(view, int(stamps[j]), scored_us):
            found |= view_row(view, _row(view, stored))
    return found


def companion_row(reply: Reply) -> Row:
    """Whether it is valid depends on the request's moment, which is not known here."""
    return int(decoding.event_us(reply[:1])[0]), view_row(ITEM_COMPANIONS, _row(ITEM_COMPANIONS, reply[1:]))


def is_valid(view: View, event_us: int, scored_us: int) -> bool:
    """``event_us``: the row's event timestamp, 0 where there is none."""
    return 0 < event_us <= scored_us <= event_us + view.ttl // MICROSECOND


def _row(view: View, stored: Reply) -> dict[str, Any]:
    return {column.name: decoding.value_of(value) for column, value in zip(view.columns, stored, strict=True)}
