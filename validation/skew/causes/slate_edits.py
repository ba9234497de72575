"""Copies of slates with changed rows or values, as hypotheses about what was read online."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from feature_repo.definitions.view import KEYED, View
from feature_repo.definitions.views import ITEM_COMPANIONS, views
from feature_repo.schema import Declaration, DType
from feature_repo.slate import Row, Slate, column_array, view_row
from validation.skew.causes.evidence import MISSING, Evidence, ReadRow, Values

Changes = Sequence[tuple[ReadRow, Values]]


def with_rows(slate: Slate, changes: Changes, evidence: Evidence) -> Slate:
    """``slate`` with the rows of ``changes``, and with the companions of its cart after the change."""
    columns: dict[str, dict[str, npt.NDArray[Any]]] = {"item": dict(slate.items), KEYED: dict(slate.keyed)}
    copied: set[str] = set()
    rows = {"user": slate.user, "session": slate.session}
    cart: dict[str, Values] = {}
    for row, values in changes:
        if row.view.name == ITEM_COMPANIONS.name:
            cart[row.key] = values
        elif row.view.entity in columns:
            of_entity = columns[row.view.entity]
            for column in row.view.columns:
                if column.name not in copied:
                    of_entity[column.name] = of_entity[column.name].copy()
                    copied.add(column.name)
                of_entity[column.name][row.position] = column_array([values.get(column.name)], column.dtype)[0]
        else:
            rows[row.view.entity] = _with_view(rows[row.view.entity], row.view, values)
    session = rows["session"]
    companions = _companions(session, slate, cart, evidence)
    return replace(
        slate,
        items=columns["item"],
        keyed=columns[KEYED],
        user=rows["user"],
        session=session,
        companions=companions,
    )


def without_store(slate: Slate, declaration: Declaration) -> Slate:
    """``slate`` without the rows of the online store."""
    nothing = [None] * len(slate)
    stored = [view for view in views(declaration) if view.entity == "item" and view.name != ITEM_COMPANIONS.name]
    items = {column.name: column_array(nothing, column.dtype) for view in stored for column in view.columns}
    return replace(slate, items=items, keyed={}, user=Row(), session=Row(), companions={})


def with_stored_default(slate: Slate, declaration: Declaration, default: float) -> Slate:
    """``slate`` with ``default`` for every missing stored float."""
    items, keyed = (
        {name: _filled(values, default) for name, values in columns.items()} for columns in (slate.items, slate.keyed)
    )
    rows = {"user": Row(slate.user), "session": Row(slate.session)}
    for view in views(declaration):
        if view.entity in rows:
            for column in view.columns:
                if column.dtype is DType.FLOAT32 and rows[view.entity].get(column.name) is None:
                    rows[view.entity][column.name] = default
    return replace(slate, items=items, keyed=keyed, user=rows["user"], session=rows["session"])


def with_timestamps(slate: Slate, change: Any, *, of: Sequence[str]) -> Slate:
    """``slate`` with ``change`` applied to all timestamps (µs since the epoch) of the entities ``of``."""
    items = dict(slate.items)
    if "item" in of:
        items |= {name: change(values) for name, values in items.items() if name.endswith("_us")}
    user = _changed(slate.user, change) if "user" in of else slate.user
    session = _changed(slate.session, change) if "session" in of else slate.session
    return replace(slate, items=items, user=user, session=session)


def _changed(row: Row, change: Any) -> Row:
    def one(value: Any) -> Any:
        if value is None:
            return None
        found = change(np.asarray(value))
        return found.tolist()

    return Row({name: one(value) if name.endswith("_us") else value for name, value in row.items()})


def _filled(values: npt.NDArray[Any], default: float) -> npt.NDArray[Any]:
    if values.dtype != np.float32:
        return values
    return np.where(np.isnan(values), np.float32(default), values)


def _with_view(row: Row, view: View, values: Values) -> Row:
    names = {column.name for column in view.columns}
    found = Row({name: value for name, value in row.items() if name not in names})
    if values:
        found.update(view_row(view, values))
    return found


def _companions(
    session: Row, slate: Slate, changed: Mapping[str, Values], evidence: Evidence
) -> Mapping[str, tuple[Sequence[str], Sequence[float]]]:
    """The companions of the items in the cart: from the changed row, otherwise from the row that offline takes."""
    if session is slate.session and not changed:
        return slate.companions
    known = {row.key: row for row in evidence.cart}
    found: dict[str, tuple[Sequence[str], Sequence[float]]] = {}
    for item in dict.fromkeys(session.get("cart_items", ())):
        if item not in changed and item not in known:
            if item in slate.companions:
                found[item] = slate.companions[item]
            continue
        values = changed[item] if item in changed else _offline_values(known[item])
        row = view_row(ITEM_COMPANIONS, values) if values else {}
        if row:
            found[item] = (row["companion_items"], row["companion_shares"])
    return found


def _offline_values(row: ReadRow) -> Values:
    """The values of the newest row, if it has not expired."""
    if row.chosen is None or row.chosen.event_us + row.ttl_us < row.scored_us:
        return MISSING
    return row.chosen.values
