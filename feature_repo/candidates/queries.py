"""What the sources are asked with: the users' and sessions' stored rows, as flat arrays.

Serving asks for one user with rows from Redis (:func:`queries_of_rows`), training and the batch for thousands with
rows from a point-in-time join (:func:`queries_of_tables`). The same rows give the same arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from feature_repo.candidates.item_codes import UNKNOWN, Codes, ItemCodes
from feature_repo.candidates.ragged import Ragged
from feature_repo.definitions.extents import HALF_LIVES_DAYS
from feature_repo.definitions.view import View
from feature_repo.definitions.views import SESSION_STATE, USER_HISTORY
from feature_repo.schema import ACTIONS, DType
from feature_repo.slate import Row
from infra.models.arrays import Doubles, Integers

ACTION_CODES = {action: code for code, action in enumerate(ACTIONS)}
HISTORY = (  # what sources read of a history
    "history_items",
    "history_counts",
    "history_first_us",
    "history_last_us",
    *(f"history_decayed_{days}d" for days in HALF_LIVES_DAYS),
)
RECENT = ("recent_items", "recent_actions", "recent_us")
CART = ("cart_items",)


@dataclass(frozen=True)
class Events:
    """Lists of items, one list per query: ``items[i]`` is of query ``lists.rows[i]``.

    items:  (m,) codes; from the number of known items on, a code is a position in ``Queries.unknown``
    values: name -> (m,) float64, or int64 for timestamps in µs: without the prefix of the column, ``last_us``
    """

    lists: Ragged
    items: Codes
    values: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Queries:
    """``q`` requests for candidates.

    codes:   of the items
    at_us:   (q,) the timestamp of each, µs since the epoch
    history: what each user ordered, latest first; values ``counts``, ``first_us``, ``last_us``, …
    recent:  the item events of each session, latest first; values ``actions`` (ACTION_CODES) and ``us``
    cart:    the items in the cart of each session, latest first
    context: name -> (q,) str or None
    unknown: ids of items that ``codes`` does not know; codes.size + i is the code of unknown[i]
    """

    codes: ItemCodes
    at_us: Integers
    history: Events
    recent: Events
    cart: Events
    context: Mapping[str, npt.NDArray[np.object_]] = field(default_factory=dict)
    unknown: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.at_us)

    def decode(self, items: Codes) -> list[str]:
        """(m,) ids of (m,) codes, also of unknown items."""
        known = len(self.codes)
        found = self.codes.decode(np.where(items < known, items, 0)) if known else [""] * len(items)
        for i in np.flatnonzero(items >= known):
            found[i] = self.unknown[int(items[i]) - known]
        return found

    def age_days(self, events: Events, name: str) -> Doubles:
        """(m,) days from the timestamps ``name`` of the events to their query's."""
        return np.asarray((self.at_us[events.lists.rows] - events.values[name]) / 86_400e6, np.float64)


def queries_of_rows(
    codes: ItemCodes,
    at_us: Sequence[int],
    users: Sequence[Row],
    sessions: Sequence[Row],
    contexts: Sequence[Mapping[str, str]],
) -> Queries:
    """Of (q,) rows as a :class:`feature_repo.slate.Slate` holds them; an empty row is an unknown user or session.

    Lists as in :func:`queries_of_tables`.
    """
    unknown = _Unknown(codes)
    return Queries(
        codes=codes,
        at_us=np.array(at_us, np.int64),
        history=_of_rows(users, USER_HISTORY, HISTORY, unknown),
        recent=_of_rows(sessions, SESSION_STATE, RECENT, unknown),
        cart=_of_rows(sessions, SESSION_STATE, CART, unknown),
        context=_contexts(contexts),
        unknown=unknown.ids,
    )


def queries_of_tables(
    codes: ItemCodes,
    at_us: Integers,
    users: pa.Table,
    sessions: pa.Table | None = None,
    contexts: Sequence[Mapping[str, str]] = (),
) -> Queries:
    """Of (q,) rows of a point-in-time join of the user views, and of the session views where there is a session.

    A null list is an empty one; so are aligned lists of different lengths.
    """
    unknown = _Unknown(codes)
    if sessions is None:
        sessions = pa.table({name: pa.nulls(len(at_us), _list_type(SESSION_STATE, name)) for name in (*RECENT, *CART)})
    return Queries(
        codes=codes,
        at_us=np.asarray(at_us, np.int64),
        history=_of_table(users, USER_HISTORY, HISTORY, unknown),
        recent=_of_table(sessions, SESSION_STATE, RECENT, unknown),
        cart=_of_table(sessions, SESSION_STATE, CART, unknown),
        context=_contexts(contexts),
        unknown=unknown.ids,
    )


class _Unknown:
    """Gives ids that ``codes`` does not know a code of their own, for these queries only."""

    def __init__(self, codes: ItemCodes) -> None:
        self._codes = codes
        self._new: dict[str, int] = {}

    @property
    def ids(self) -> Sequence[str]:
        return tuple(self._new)

    def encode(self, ids: pa.Array) -> Codes:
        found = self._codes.encode_arrow(ids)
        missing = np.flatnonzero(found == UNKNOWN)
        for i, item in zip(missing, ids.take(pa.array(missing)).to_pylist(), strict=True):
            found[i] = self._new.setdefault(item, len(self._codes) + len(self._new))
        return found

    def encode_list(self, ids: Sequence[str]) -> Codes:
        found = self._codes.encode(ids)
        for i in np.flatnonzero(found == UNKNOWN).tolist():
            found[i] = self._new.setdefault(ids[i], len(self._codes) + len(self._new))
        return found


def _of_rows(rows: Sequence[Row], view: View, names: Sequence[str], unknown: _Unknown) -> Events:
    lists: dict[str, list[list[Any]]] = {name: [] for name in names}
    for row in rows:
        of_row = [row.get(name) or [] for name in names]
        is_aligned = len(set(map(len, of_row))) == 1
        for name, values in zip(names, of_row, strict=True):
            lists[name].append(values if is_aligned else [])
    items, *others = names
    flat = {name: [value for each in lists[name] for value in each] for name in names}
    return Events(
        Ragged.of_lengths([len(each) for each in lists[items]]),
        unknown.encode_list(flat[items]),
        {_short(name): _values(flat[name], _dtype(view, name)) for name in others if _is_value(view, name)},
    )


def _of_table(table: pa.Table, view: View, names: Sequence[str], unknown: _Unknown) -> Events:
    columns = {name: table[name].combine_chunks() for name in names}
    lengths = {
        name: column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False) for name, column in columns.items()
    }
    items, *others = names
    aligned = np.logical_and.reduce([lengths[name] == lengths[items] for name in names])
    flat = {name: column.filter(pa.array(aligned)).flatten() for name, column in columns.items()}
    return Events(
        Ragged.of_lengths(np.where(aligned, lengths[items], 0)),
        unknown.encode(flat[items]),
        {_short(name): _values(flat[name], _dtype(view, name)) for name in others if _is_value(view, name)},
    )


def _values(values: Sequence[Any] | pa.Array, dtype: DType) -> npt.NDArray[Any]:
    """float64, but int64 for Int64 lists, and the codes of actions."""
    if dtype is DType.STRING_LIST:
        names = values.to_pylist() if isinstance(values, pa.Array) else values
        return np.array([ACTION_CODES.get(name, UNKNOWN) for name in names], np.int64)
    kind = np.int64 if dtype is DType.INT64_LIST else np.float64
    if isinstance(values, pa.Array):
        return np.asarray(values.to_numpy(zero_copy_only=False), kind)
    return np.array(values, kind)


def _contexts(contexts: Sequence[Mapping[str, str]]) -> dict[str, npt.NDArray[np.object_]]:
    names = {name for each in contexts for name in each}
    return {name: np.array([each.get(name) for each in contexts], object) for name in sorted(names)}


def _short(name: str) -> str:
    """``history_last_us`` -> ``last_us``"""
    return name.split("_", 1)[1]


def _is_value(view: View, name: str) -> bool:
    """Of the lists of strings only the actions are read."""
    return _dtype(view, name) is not DType.STRING_LIST or name == "recent_actions"


def _dtype(view: View, name: str) -> DType:
    return next(column.dtype for column in view.columns if column.name == name)


def _list_type(view: View, name: str) -> pa.DataType:
    return _dtype(view, name).arrow
