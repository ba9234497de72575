"""Adds the price and the category that an item has when its event is accepted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from feature_repo.online.redis_format import decoding
from feature_repo.schema import Declaration, item_attributes_view
from serving.features.entity_rows import stored_row
from serving.item_cache.hash_layout import HashLayout, hash_layout
from serving.item_cache.item_block import Reply
from serving.ttl import is_valid

COLUMNS = ("category_id", "price")


@dataclass(frozen=True)
class ItemFacts:
    """``price`` in cents; None where the store does not know it."""

    price: int | None = None
    category_id: str | None = None


class ItemFactsReader:
    """The commands to send for some items, and how to read the replies."""

    def __init__(self, project: str) -> None:
        view = item_attributes_view(Declaration(project, ""))  # the data set's own columns are not read
        self._view = replace(view, columns=tuple(c for c in view.columns if c.name in COLUMNS))
        self._layout: HashLayout = hash_layout((self._view,), project)

    def commands(self, item_ids: Sequence[str]) -> bytes:
        return self._layout.commands(item_ids)

    def facts(self, replies: Iterable[Reply], now_us: int) -> list[ItemFacts]:
        return [self._facts(reply, now_us) for reply in replies]

    def _facts(self, reply: Reply, now_us: int) -> ItemFacts:
        if not is_valid(self._view, int(decoding.event_us(reply[:1])[0]), now_us):
            return ItemFacts()
        row = stored_row(self._view, reply[1:])
        price = row.get("price")
        return ItemFacts(
            price=None if price is None or math.isnan(price) else round(price * 100), category_id=row.get("category_id")
        )
