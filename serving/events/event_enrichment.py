"""Adds the price and the category that an item has when its event is accepted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from feature_repo.definitions.views import item_attributes_view
from feature_repo.schema import Declaration
from serving.events.stored_items import StoredItem, StoredItems
from serving.item_cache.item_block import Reply

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
        self._items = StoredItems(replace(view, columns=tuple(c for c in view.columns if c.name in COLUMNS)), project)

    def commands(self, item_ids: Sequence[str]) -> bytes:
        return self._items.commands(item_ids)

    def facts(self, replies: Iterable[Reply], now_us: int) -> list[ItemFacts]:
        return [_facts(found) for found in self._items.items(replies, now_us)]


def _facts(found: StoredItem) -> ItemFacts:
    price = found.values.get("price")
    return ItemFacts(
        price=None if price is None or math.isnan(price) else round(price * 100),
        category_id=found.values.get("category_id"),
    )
