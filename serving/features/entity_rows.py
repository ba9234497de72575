"""The rows of users and sessions, decoded again only when Redis answers with other bytes."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_repo.definitions.view import View
from feature_repo.online.redis_format import decoding
from feature_repo.slate import Row, view_row
from serving.item_cache.hash_layout import HashLayout
from serving.item_cache.item_block import Reply
from serving.ttl import is_valid

MAX_BYTES = 64 << 20
ENTRY_BYTES, VALUE_BYTES = 1_000, 100  # memory per entity, and per field of it
DECODED = 10  # memory over the size of a reply: list elements are objects, and values computed from them are cached


@dataclass(frozen=True)
class _Decoded:
    reply: Reply
    event_us: NDArray[np.int64]  # (views,)
    bytes: int  # about, with the rows to come
    rows: dict[tuple[bool, ...], Row]  # by which of the views are valid


class EntityRows:
    """Holds the entities of ``layout``; the least recently used are evicted first. Not thread-safe."""

    def __init__(self, layout: HashLayout, max_bytes: int = MAX_BYTES) -> None:
        self.layout = layout
        self._max_bytes = max_bytes
        self._bytes = 0
        self._known: dict[str, _Decoded] = {}

    def __len__(self) -> int:
        return len(self._known)

    @property
    def bytes(self) -> int:
        """About how much memory all rows take."""
        return self._bytes

    def row(self, key: str, reply: Reply, scored_us: int, event_us: MutableMapping[str, NDArray[np.int64]]) -> Row:
        """The columns of the views that have a valid row at ``scored_us``; their timestamps go into ``event_us``.

        This is where the ttl of user and session views is applied. The same bytes give the same object, so that
        values computed from it are computed once.
        """
        views = self.layout.views
        known = self._decoded(key, reply)
        for j, view in enumerate(views):
            event_us[view.name] = known.event_us[j : j + 1]
        timestamps = known.event_us.tolist()
        valid = tuple(is_valid(view, timestamp, scored_us) for view, timestamp in zip(views, timestamps, strict=True))
        row = known.rows.get(valid)
        if row is None:
            row = known.rows[valid] = self._row(reply, valid)
        return row

    def _decoded(self, key: str, reply: Reply) -> _Decoded:
        known = self._known.pop(key, None)
        if known is None or known.reply != reply:
            self._bytes -= known.bytes if known is not None else 0
            payload = sum(len(value) for value in reply if value)
            size = ENTRY_BYTES + VALUE_BYTES * len(reply) + DECODED * payload
            known = _Decoded(reply, decoding.event_us(reply[: len(self.layout.views)]), size, {})
            self._bytes += known.bytes
        self._known[key] = known  # the most recently used is last
        while self._bytes > self._max_bytes:
            self._bytes -= self._known.pop(next(iter(self._known))).bytes
        return known

    def _row(self, reply: Reply, valid: tuple[bool, ...]) -> Row:
        found = Row()
        start = len(self.layout.views)
        for view, is_wanted in zip(self.layout.views, valid, strict=True):
            if is_wanted:
                found.update(stored_row(view, reply[start : start + len(view.columns)]))
            start += len(view.columns)
        return found


def stored_row(view: View, stored: Reply) -> dict[str, Any]:
    """``stored``: the values of the view's columns."""
    return view_row(
        view, {c.name: decoding.value(value, c.dtype) for c, value in zip(view.columns, stored, strict=True)}
    )
