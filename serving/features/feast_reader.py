"""What the online store knows of one slate, through Feast's SDK.

A constant number of calls per request: the user's views, the session's, the item views of all candidates at
once, and the companions of all items in the cart at once. Feast applies no ttl online, so it is applied here,
at the moment of the request, exactly as the point-in-time join does: a row counts from its event timestamp
until ttl later, both inclusive. Feast's Redis store keeps that timestamp to the microsecond, and a null apart
from an empty list; what is left to normalise is :func:`feature_repo.slate.view_row`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from feast import FeatureStore

from feature_repo.schema import FEATURE_SERVICE, ITEM_COMPANIONS, Declaration, View, views
from feature_repo.slate import Row, Slate, column_array, view_row


class StoreAway(RuntimeError):
    """The online store cannot be read, or not in time; the message says why."""


class WrongStore(StoreAway):
    """The Feast registry lacks views or columns that the model reads."""


@dataclass(frozen=True)
class Keys:
    """Whom and what to read, and the moment it is read for. None is a user or session that is not known.

    ``positions``: id -> its place in ``item_ids``, where somebody has that already.
    """

    user_id: str | None
    session_id: str | None
    item_ids: Sequence[str]
    scored_us: int
    positions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Missing:
    """``items``: candidates without a valid row in any item view; ``user``, ``session``: no valid row at all."""

    items: int
    user: bool
    session: bool


@dataclass(frozen=True)
class Reading:
    """A slate with its stored features; facts and context, which the store does not have, are left empty.

    ``event_us``: view -> the event timestamp of each row that was read, valid or not, µs since the epoch, 0 where
    there is none: (n,) in the order of the candidates, of the cart for companions, (1,) for user and session views.
    """

    slate: Slate
    missing: Missing
    event_us: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)


class FeatureReader(Protocol):
    def read(self, keys: Keys) -> Reading:
        """Raises StoreAway, or whatever the store's client raises when the store is away."""
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

    def read(self, keys: Keys) -> Reading:
        """Raises redis.RedisError or OSError when Redis is away."""
        event_us: dict[str, npt.NDArray[np.int64]] = {}
        user = self._entity_row(self._user_views, keys.user_id, keys.scored_us, event_us)
        session = self._entity_row(self._session_views, keys.session_id, keys.scored_us, event_us)
        found = self._fetch(self._item_views, keys.item_ids, keys.scored_us)
        known = [any(valid) for valid in zip(*(rows.valid for rows in found), strict=True)]
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
        )
        return Reading(slate, Missing(items=known.count(False), user=not user, session=not session), event_us)

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

    def _fetch(self, wanted: Sequence[View], ids: Sequence[str], scored_us: int) -> list[_Rows]:
        """One call of the SDK for all views of one entity; what is not valid at ``scored_us`` is None."""
        references = [f"{view.name}:{column.name}" for view in wanted for column in view.columns]
        response = self._store.get_online_features(references, {wanted[0].join_key: list(ids)}, full_feature_names=True)
        values = response.to_dict()
        vectors = dict(zip(response.proto.metadata.feature_names.val, response.proto.results, strict=True))
        found = []
        for view in wanted:
            # One timestamp per view and entity, repeated for each of its columns.
            timestamps = vectors[_full_name(view, view.columns[0].name)].event_timestamps
            event_us = [t.seconds * 1_000_000 + t.nanos // 1_000 for t in timestamps]
            valid = [_is_valid(us, view.ttl_us, scored_us) for us in event_us]
            columns = {
                column.name: [
                    value if ok else None
                    for value, ok in zip(values[_full_name(view, column.name)], valid, strict=True)
                ]
                for column in view.columns
            }
            found.append(_Rows(columns, valid, np.array(event_us, np.int64)))
        return found


def item_views(declaration: Declaration) -> tuple[View, ...]:
    """The views that are read for every candidate."""
    return tuple(v for v in views(declaration) if v.entity == "item" and v.name != ITEM_COMPANIONS.name)


def unread(keys: Keys, declaration: Declaration) -> Reading:
    """The reading of a store that is away: everything is missing."""
    nothing = [None] * len(keys.item_ids)
    items = {c.name: column_array(nothing, c.dtype) for view in item_views(declaration) for c in view.columns}
    slate = Slate(scored_us=keys.scored_us, item_ids=keys.item_ids, items=items)
    return Reading(slate, Missing(items=len(keys.item_ids), user=True, session=True))


def _is_valid(row_us: int, ttl_us: int, scored_us: int) -> bool:
    """``row_us``: the row's event timestamp, 0 where there is no row."""
    return row_us > 0 and row_us <= scored_us <= row_us + ttl_us


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
