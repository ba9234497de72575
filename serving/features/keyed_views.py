"""The views that are read per candidate by other keys than its id: a pair, an attribute, or the context.

Their rows are read once the items are known, since an attribute may be a part of the key; each key once.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_repo.definitions.keys import Key, candidate_keys
from feature_repo.definitions.view import KEYED, View
from feature_repo.definitions.views import views
from feature_repo.online.redis_format import decoding
from feature_repo.schema import Declaration
from feature_repo.slate import column_array
from serving.features.reading import Keys
from serving.item_cache.hash_layout import KeyedLayout
from serving.item_cache.item_block import Reply
from serving.redis_client.connection import RedisConnection
from serving.ttl import is_valid

EventTimes = MutableMapping[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Wanted:
    """``keys``: of the candidates, each once; ``index``: (n,) of each candidate's key, -1 without one."""

    keys: list[Key]
    index: NDArray[np.int64]

    @staticmethod
    def of(view: View, keys: Keys, items: Mapping[str, NDArray[Any]]) -> Wanted:
        found = candidate_keys(
            view,
            item_ids=keys.item_ids,
            user_id=keys.user_id,
            session_id=keys.session_id,
            items=items,
            context=keys.context,
        )
        number = {key: i for i, key in enumerate(dict.fromkeys(key for key in found if key is not None))}
        index = [-1 if key is None else number[key] for key in found]
        return Wanted(list(number), np.array(index, np.int64))

    def spread(
        self, view: View, columns: Mapping[str, NDArray[Any]], event_us: Sequence[int], scored_us: int
    ) -> Spread:
        """``columns``, ``event_us``: a value per key. What is not valid at ``scored_us`` is null."""
        valid = np.array([is_valid(view, us, scored_us) for us in event_us] + [False])[self.index]
        found = {}
        for column in view.columns:
            values = column_array([None] * len(self.index), column.dtype)
            values[valid] = columns[column.name][self.index[valid]]
            found[column.name] = values
        return found, np.append(np.array(event_us, np.int64), 0)[self.index]


Spread = tuple[dict[str, NDArray[Any]], NDArray[np.int64]]  # column -> (n,), and (n,) event timestamps


def keyed_groups(declaration: Declaration) -> list[tuple[View, ...]]:
    """The views of other keys, those of the same keys together."""
    groups: dict[tuple[str, ...], list[View]] = {}
    for view in views(declaration):
        if view.entity == KEYED:
            groups.setdefault(view.join_keys, []).append(view)
    return [tuple(group) for group in groups.values()]


class KeyedViews:
    """Reads them from Redis."""

    def __init__(self, declaration: Declaration, project: str) -> None:
        self._layouts = [KeyedLayout.of(group, project) for group in keyed_groups(declaration)]

    async def read(
        self,
        connection: RedisConnection,
        keys: Keys,
        items: Mapping[str, NDArray[Any]],
        scored_us: int,
        event_us: EventTimes,
    ) -> dict[str, NDArray[Any]]:
        """Column -> (n,). The event timestamps go into ``event_us``. Raises ConnectionLost."""
        asked = [Wanted.of(layout.views[0], keys, items) for layout in self._layouts]
        calls = [
            connection.call(layout.commands(wanted.keys), len(wanted.keys)) if wanted.keys else None
            for layout, wanted in zip(self._layouts, asked, strict=True)
        ]
        columns: dict[str, NDArray[Any]] = {}
        for layout, wanted, call in zip(self._layouts, asked, calls, strict=True):
            replies: list[Reply] = [] if call is None else await call
            at = len(layout.views)
            for j, view in enumerate(layout.views):
                stored = {
                    column.name: decoding.array([reply[at + i] for reply in replies], column.dtype)
                    for i, column in enumerate(view.columns)
                }
                at += len(view.columns)
                timestamps = decoding.event_us([reply[j] for reply in replies]).tolist()
                found, event_us[view.name] = wanted.spread(view, stored, timestamps, scored_us)
                columns |= found
        return columns
