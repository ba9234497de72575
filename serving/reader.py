"""Reading what the online store holds for one request, through Feast's SDK.

A constant number of reads a request: the user's views, the session's, all candidates' at once, and the
companions of what is in the cart. Feast hands out expired rows and rows from the future as if they were
valid, so the reader applies each view's ttl at the request's moment. Row times are whole seconds there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import redis
from feast import FeatureStore

from feature_repo.schema import ITEM_COMPANIONS, Column, Declaration, DType, View, views
from feature_repo.slate import floats, instants

_LISTS = (DType.STRING_LIST, DType.INT64_LIST, DType.FLOAT32_LIST)
Row = dict[str, Any]


@dataclass(frozen=True)
class Keys:
    """Whom and what a request is about, and its moment in µs since the epoch."""

    user_id: str
    session_id: str
    item_ids: Sequence[str]
    scored_us: int


@dataclass
class StoredFeatures:
    """What was found. ``complete`` is False where the store could not be read in time; the rest is missing."""

    items: dict[str, np.ndarray[Any, Any]]
    user: Row = field(default_factory=dict)
    session: Row = field(default_factory=dict)
    companions: dict[str, tuple[list[str], list[float]]] = field(default_factory=dict)
    missing_items: int = 0
    complete: bool = True


class FeatureReader(Protocol):
    def read(self, keys: Keys, deadline: float) -> StoredFeatures:
        """``deadline`` is a reading of the monotonic clock. Never raises for a store that is away."""
        ...


class FeastReader:
    """Reads with ``FeatureStore.get_online_features``."""

    def __init__(self, store: FeatureStore, declaration: Declaration) -> None:
        self._store = store
        by_entity: dict[str, list[View]] = {"item": [], "user": [], "session": []}
        for view in views(declaration):
            if view.name != ITEM_COMPANIONS.name:
                by_entity[view.entity].append(view)
        self._views = by_entity

    def read(self, keys: Keys, deadline: float) -> StoredFeatures:
        found = StoredFeatures(self._item_columns([{}] * len(keys.item_ids)), missing_items=len(keys.item_ids))
        try:
            self._fill(found, keys, deadline)
        except (redis.RedisError, OSError, TimeoutError):
            found.complete = False
        return found

    def _fill(self, found: StoredFeatures, keys: Keys, deadline: float) -> None:
        found.session = self._rows("session", [keys.session_id], keys.scored_us, deadline)[0]
        rows = self._rows("item", keys.item_ids, keys.scored_us, deadline)
        found.items = self._item_columns(rows)
        found.missing_items = sum(not row for row in rows)
        found.user = self._rows("user", [keys.user_id], keys.scored_us, deadline)[0]
        cart = found.session.get("cart_items") or []
        if cart:
            companions = self._read([ITEM_COMPANIONS], cart, keys.scored_us, deadline)
            for item, row in zip(cart, companions, strict=True):
                if row:
                    found.companions[item] = (row["companion_items"], row["companion_shares"])

    def _rows(self, entity: str, ids: Sequence[str], scored_us: int, deadline: float) -> list[Row]:
        return self._read(self._views[entity], ids, scored_us, deadline)

    def _read(self, wanted: list[View], ids: Sequence[str], scored_us: int, deadline: float) -> list[Row]:
        """One dict per id, with the columns of the views that have a valid row. One call of the SDK."""
        if time.monotonic() > deadline:
            raise TimeoutError("the request's deadline has passed")
        references = [f"{view.name}:{column.name}" for view in wanted for column in view.columns]
        answer = self._store.get_online_features(references, {wanted[0].join_key: list(ids)})
        columns: Mapping[str, list[Any]] = answer.to_dict(include_event_timestamps=True)
        rows: list[Row] = [{} for _ in ids]
        for view in wanted:
            stamps = columns[f"{view.columns[0].name}__ts"]
            for i, stamp in enumerate(stamps):
                if _valid(stamp, view, scored_us):
                    rows[i].update((c.name, _value(columns[c.name][i], c)) for c in view.columns)
        return rows

    def _item_columns(self, rows: Sequence[Row]) -> dict[str, np.ndarray[Any, Any]]:
        return {
            column.name: _column([row.get(column.name) for row in rows], column)
            for view in self._views["item"]
            for column in view.columns
        }


def _valid(stamp: int, view: View, scored_us: int) -> bool:
    """``stamp``: event time of the row in seconds, 0 where there is none."""
    row_us = stamp * 1_000_000
    return stamp > 0 and row_us <= scored_us <= row_us + view.ttl // view.ttl.resolution


def _value(value: Any, column: Column) -> Any:
    """Feast cannot tell an empty list from a null; a row that is there has no null lists."""
    return [] if value is None and column.dtype in _LISTS else value


def _column(values: list[Any], column: Column) -> np.ndarray[Any, Any]:
    if column.dtype is DType.FLOAT32:
        return floats(values)
    if column.dtype is DType.INT64:
        return instants(values)
    return np.array(values, dtype=object)
