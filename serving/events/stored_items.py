"""Reads attributes of items from the feature store, as they are when something is accepted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from feature_repo.definitions.view import View
from feature_repo.online.redis_format import decoding
from serving.features.entity_rows import stored_row
from serving.item_cache.hash_layout import HashLayout, hash_layout
from serving.item_cache.item_block import Reply
from serving.ttl import is_valid


@dataclass(frozen=True)
class StoredItem:
    """``event_us``: of a row that is valid now, else 0. ``values``: column -> value; empty without a valid row."""

    event_us: int
    values: dict[str, Any]


class StoredItems:
    """The commands to send for some items, and how to read the replies. ``view``: with the columns to read."""

    def __init__(self, view: View, project: str) -> None:
        self._view = view
        self._layout: HashLayout = hash_layout((view,), project)

    def commands(self, item_ids: Sequence[str]) -> bytes:
        return self._layout.commands(item_ids)

    def items(self, replies: Iterable[Reply], now_us: int) -> list[StoredItem]:
        return [self._item(reply, now_us) for reply in replies]

    def _item(self, reply: Reply, now_us: int) -> StoredItem:
        event_us = int(decoding.event_us(reply[:1])[0])
        if not is_valid(self._view, event_us, now_us):
            return StoredItem(0, {})
        return StoredItem(event_us, stored_row(self._view, reply[1:]))
