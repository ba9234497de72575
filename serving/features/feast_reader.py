"""Reads one slate's stored features through Feast's SDK: the trusted way that the parity check compares with.

The number of calls per request is constant: one for the user's views, one for the session's, one for the item views
of all candidates, and one for the companions of all items in the cart. Feast applies no ttl online, so it is applied
here (:mod:`serving.ttl`), exactly as the point-in-time join does. Feast's Redis store holds the event
timestamp to the microsecond, and distinguishes a null from an empty list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from feast import FeatureStore

from feature_repo.definitions.view import FEATURE_SERVICE, View
from feature_repo.definitions.views import ITEM_COMPANIONS, views
from feature_repo.schema import Declaration
from feature_repo.slate import Row, Slate, column_array, view_row
from serving.features.keyed_views import Wanted, keyed_groups
from serving.features.reading import Keys, Missing, Reading, StoreAway, item_views
from serving.ttl import is_ahead, is_valid


class WrongStore(StoreAway):
    """The Feast registry lacks views or columns that the model reads."""


class BlockingReader(Protocol):
    def read(self, keys: Keys) -> Reading:
        """Raises StoreAway, or what the store's client raises when the store is away."""
        ...


@dataclass(frozen=True)
class _Rows:
    """One view's answer: column -> (n,) values, None where the row is missing; valid, event_us: (n,)."""

    columns: Mapping[str, Sequence[Any]]
    valid: Sequence[bool]
    event_us: npt.NDArray[np.int64]

    def row(self, view: View, i: int) -> dict[str, Any]:
        return view_row(view, {column.name: self.columns[column.name][i] for column in view.columns})


class FeastReader:
    """Reads with ``FeatureStore.get_online_features``. Raises WrongStore where the registry does not fit."""

    def __init__(self, store: FeatureStore, declaration: Declaration) -> None:
        self._store = store
        known = views(declaration)
        _check_registry(store, known)
        self._item_views = item_views(declaration)
        self._user_views = tuple(view for view in known if view.entity == "user")
        self._session_views = tuple(view for view in known if view.entity == "session")
        self._keyed = keyed_groups(declaration)

    def read(self, keys: Keys) -> Reading:
        """Raises redis.RedisError or OSError when Redis is away."""
        event_us: dict[str, npt.NDArray[np.int64]] = {}
        user = self._entity_row(self._user_views, keys.user_id, keys.scored_us, event_us)
        session = self._entity_row(self._session_views, keys.session_id, keys.scored_us, event_us)
        found = self._fetch(self._item_views, keys.item_ids, keys.scored_us)
        timestamps = zip(*(rows.event_us.tolist() for rows in found), strict=True)
        known = [
            any(valid) and max(of_item) <= keys.scored_us
            for valid, of_item in zip(zip(*(rows.valid for rows in found), strict=True), timestamps, strict=True)
        ]
        items = {
            column.name: column_array(rows.columns[column.name], column.dtype)
            for view, rows in zip(self._item_views, found, strict=True)
            for column in view.columns
        }
        event_us |= {view.name: rows.event_us for view, rows in zip(self._item_views, found, strict=True)}
        slate = Slate(
            scored_us=keys.scored_us,
            item_ids=keys.item_ids,
            items=items,
            user=user,
            session=session,
            companions=self._companions(session.get("cart_items", ()), keys.scored_us, event_us),
            keyed=self._keyed_columns(keys, items, event_us),
        )
        missing = Missing(
            items=known.count(False),
            user=not user or _is_ahead(self._user_views, event_us, keys.scored_us),
            session=not session or _is_ahead(self._session_views, event_us, keys.scored_us),
        )
        return Reading(slate, missing, event_us)

    def _entity_row(
        self, wanted: Sequence[View], key: str | None, scored_us: int, event_us: dict[str, npt.NDArray[np.int64]]
    ) -> Row:
        """The columns of the views that have a valid row; one call for all views."""
        if key is None:
            return Row()
        row = Row()
        for view, rows in zip(wanted, self._fetch(wanted, [key], scored_us), strict=True):
            row.update(rows.row(view, 0))
            event_us[view.name] = rows.event_us
        return row

    def _companions(
        self, cart: Sequence[str], scored_us: int, event_us: dict[str, npt.NDArray[np.int64]]
    ) -> dict[str, tuple[list[str], list[float]]]:
        wanted = list(dict.fromkeys(cart))
        if not wanted:
            return {}
        (rows,) = self._fetch((ITEM_COMPANIONS,), wanted, scored_us)
        event_us[ITEM_COMPANIONS.name] = rows.event_us
        found = {item: rows.row(ITEM_COMPANIONS, i) for i, item in enumerate(wanted)}
        return {item: (row["companion_items"], row["companion_shares"]) for item, row in found.items() if row}

    def _keyed_columns(
        self, keys: Keys, items: Mapping[str, npt.NDArray[Any]], event_us: dict[str, npt.NDArray[np.int64]]
    ) -> dict[str, npt.NDArray[Any]]:
        columns: dict[str, npt.NDArray[Any]] = {}
        for group in self._keyed:
            wanted = Wanted.of(group[0], keys, items)
            entity_rows = dict(zip(group[0].join_keys, map(list, zip(*wanted.keys, strict=True)), strict=False))
            read = self._rows(group, entity_rows, keys.scored_us) if wanted.keys else [None] * len(group)
            for view, rows in zip(group, read, strict=True):
                stored = {
                    column.name: column_array([] if rows is None else rows.columns[column.name], column.dtype)
                    for column in view.columns
                }
                timestamps = [] if rows is None else rows.event_us.tolist()
                found, event_us[view.name] = wanted.spread(view, stored, timestamps, keys.scored_us)
                columns |= found
        return columns

    def _fetch(self, wanted: Sequence[View], ids: Sequence[str], scored_us: int) -> list[_Rows]:
        return self._rows(wanted, {wanted[0].join_key: list(ids)}, scored_us)

    def _rows(self, wanted: Sequence[View], entity_rows: Mapping[str, list[str]], scored_us: int) -> list[_Rows]:
        """One SDK call for all views of one entity. What is not valid at ``scored_us`` is None."""
        references = [f"{view.name}:{column.name}" for view in wanted for column in view.columns]
        response = self._store.get_online_features(references, dict(entity_rows), full_feature_names=True)
        values = response.to_dict()
        vectors = dict(zip(response.proto.metadata.feature_names.val, response.proto.results, strict=True))
        found = []
        for view in wanted:
            # One timestamp per view and entity, repeated for each of its columns.
            timestamps = vectors[_full_name(view, view.columns[0].name)].event_timestamps
            event_us = [t.seconds * 1_000_000 + t.nanos // 1_000 for t in timestamps]
            valid = [is_valid(view, us, scored_us) for us in event_us]
            columns = {
                column.name: [
                    value if ok else None
                    for value, ok in zip(values[_full_name(view, column.name)], valid, strict=True)
                ]
                for column in view.columns
            }
            found.append(_Rows(columns, valid, np.array(event_us, np.int64)))
        return found


def _is_ahead(wanted: Sequence[View], event_us: Mapping[str, npt.NDArray[np.int64]], scored_us: int) -> bool:
    return is_ahead((event_us[view.name] for view in wanted), scored_us)


def _full_name(view: View, column: str) -> str:
    return f"{view.name}__{column}"


def _check_registry(store: FeatureStore, known: Sequence[View]) -> None:
    service = store.get_feature_service(FEATURE_SERVICE)
    served = {p.name: {feature.name for feature in p.features} for p in service.feature_view_projections}
    lacking = [
        f"{view.name}:{column.name}"
        for view in known
        for column in view.columns
        if column.name not in served.get(view.name, ())
    ]
    if lacking:
        raise WrongStore(
            f"feature service {FEATURE_SERVICE} lacks {', '.join(lacking[:5])}{' and more' if lacking[5:] else ''}: "
            "run `python -m feature_repo.apply`"
        )
