"""What the online store knows of one slate, read straight from the hashes that Feast wrote.

Two round trips at most: user, session and candidates together, then the companions of what is in the cart. The
values are those of ``FeatureStore.get_online_features`` with the ttl applied; :class:`serving.reader.FeastReader` is
the slow road to the same reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from feature_repo.online import decoding
from feature_repo.schema import ITEM_COMPANIONS, Declaration, View, views
from feature_repo.slate import Slate, view_row
from serving.hash_layout import HashLayout, hash_layout
from serving.item_block import MICROSECOND, ItemBlock, ItemColumns, columns_at, decode_items
from serving.reader import Keys, Missing, Reading, item_views
from serving.redis_link import RedisLink

Reply = Sequence[bytes | None]


class Items(Protocol):
    """Where item rows come from: Redis, or a cache before it."""

    def known(self, ids: Sequence[str]) -> ItemBlock | None:
        """The rows if none has to be asked for."""
        ...

    def commands(self, ids: Sequence[str]) -> tuple[bytes, int]:
        """What to ask Redis for, and the number of replies."""
        ...

    def block(self, ids: Sequence[str], replies: Sequence[Reply]) -> ItemBlock: ...


class UncachedItems:
    """Every candidate is asked for."""

    def __init__(self, layout: HashLayout, columns: ItemColumns) -> None:
        self._layout = layout
        self._columns = columns

    def known(self, ids: Sequence[str]) -> ItemBlock | None:
        return None

    def commands(self, ids: Sequence[str]) -> tuple[bytes, int]:
        return self._layout.commands(ids), len(ids)

    def block(self, ids: Sequence[str], replies: Sequence[Reply]) -> ItemBlock:
        return decode_items(replies, self._columns)


class OnlineReader:
    """Not for threads: all calls come from the loop of ``link``."""

    def __init__(self, declaration: Declaration, project: str) -> None:
        known = views(declaration)
        self.columns = ItemColumns.of(item_views(declaration))
        self.items: Items = UncachedItems(hash_layout(self.columns.views, project), self.columns)
        self._user = hash_layout(tuple(view for view in known if view.entity == "user"), project)
        self._session = hash_layout(tuple(view for view in known if view.entity == "session"), project)
        self._companions = hash_layout((ITEM_COMPANIONS,), project)

    async def read(self, keys: Keys, link: RedisLink) -> Reading:
        """Raises LinkDown."""
        users = [] if keys.user_id is None else [keys.user_id]
        sessions = [] if keys.session_id is None else [keys.session_id]
        block = self.items.known(keys.item_ids)
        wanted, count = (b"", 0) if block is not None else self.items.commands(keys.item_ids)
        packed = self._user.commands(users) + self._session.commands(sessions) + wanted
        replies = await link.call(packed, len(users) + len(sessions) + count) if packed else []
        user = entity_row(self._user, replies[0], keys.scored_us) if users else {}
        session = entity_row(self._session, replies[len(users)], keys.scored_us) if sessions else {}
        if block is None:
            block = self.items.block(keys.item_ids, replies[len(users) + len(sessions) :])
        items, missing = columns_at(block, self.columns, keys.scored_us)
        companions = await self._read_companions(session.get("cart_items", ()), keys.scored_us, link)
        slate = Slate(keys.scored_us, keys.item_ids, items, user, session, companions)
        return Reading(slate, Missing(items=missing, user=not user, session=not session))

    async def _read_companions(
        self, cart: Sequence[str], scored_us: int, link: RedisLink
    ) -> dict[str, tuple[list[str], list[float]]]:
        wanted = list(dict.fromkeys(cart))
        if not wanted:
            return {}
        replies = await link.call(self._companions.commands(wanted), len(wanted))
        rows = {item: entity_row(self._companions, row, scored_us) for item, row in zip(wanted, replies, strict=True)}
        return {item: (row["companion_items"], row["companion_shares"]) for item, row in rows.items() if row}


def entity_row(layout: HashLayout, reply: Reply, scored_us: int) -> dict[str, Any]:
    """The columns of the views that have a valid row at ``scored_us``."""
    found: dict[str, Any] = {}
    place = len(layout.views)
    for view, event_us in zip(layout.views, decoding.event_us(reply[: len(layout.views)]).tolist(), strict=True):
        stored = reply[place : place + len(view.columns)]
        place += len(view.columns)
        if 0 < event_us <= scored_us <= event_us + view.ttl // MICROSECOND:
            found |= view_row(view, _row(view, stored))
    return found


def _row(view: View, stored: Reply) -> dict[str, Any]:
    return {column.name: decoding.value_of(value) for column, value in zip(view.columns, stored, strict=True)}
