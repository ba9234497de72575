"""Which file holds what: lists that were shown, events, items, or a table that others refer to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import PurePosixPath

import duckdb

from feature_repo.init import words as w
from feature_repo.init.guess.queries import Sampled
from feature_repo.init.guess.roles import View, roles_of
from feature_repo.init.profile.column import Kind
from feature_repo.init.profile.measure import profile
from feature_repo.init.reading.sample import SourceTable
from feature_repo.init.reading.tables import whole_distinct
from feature_repo.init.thresholds import JOINED, KEY_SHARE, SLATE_ROWS, SLATE_UNIQUE

LISTED = w.ITEM | w.SLATE | {"impressions", "shown", "candidates", "results", "recs", "hotels", "displayed", "ids"}


SHOWN = w.SLATE - {"page", "order"} | {
    "shown",
    "impressions",
    "slates",
    "lists",
    "displayed",
    "exposures",
    "shows",
    "searches",
}


class Holds(Enum):
    LISTS = "lists of items in one cell"
    IMPRESSIONS = "one row per item that was shown"
    EVENTS = "what users did"
    ITEMS = "one row per item"
    SIDE = "a table that others refer to"


@dataclass(frozen=True)
class Reference:
    """``column`` of a table stands in ``other``, where it is unique: other's columns can be joined."""

    column: str
    other: View
    share: float


@dataclass(frozen=True)
class Slate:
    """How the rows of one list are found: by the columns ``key``. ``own``: the key is a column of its own."""

    key: tuple[str, ...]
    own: bool
    rows: float


def view_of(connection: duckdb.DuckDBPyConnection, table: SourceTable) -> View:
    columns = profile(connection, table)
    view = View(table, {each.name: each for each in columns}, roles_of(table, columns))
    view = replace(view, unique=frozenset(each.name for each in columns if _is_unique(connection, view, each.name)))
    stem_words = set(stem(view))
    if not view.has("item") and "id" in {name.lower() for name in view.unique} and stem_words & w.ITEM:
        name = next(name for name in view.unique if name.lower() == "id")
        roles = {role: tuple(c for c in named if c != name) for role, named in view.roles.items()}
        view = replace(view, roles={**roles, "item": (name,)})
    return view


def stem(view: View) -> tuple[str, ...]:
    """The words of the file's name, without what tells several of a kind apart."""
    name = PurePosixPath(view.pattern.replace("*", " ")).name
    return w.words(name.split(".")[0])


def _is_unique(connection: duckdb.DuckDBPyConnection, view: View, name: str) -> bool:
    column = view.columns[name]
    if column.kind in (Kind.LIST, Kind.NUMBER, Kind.TIME) or column.nulls > 1 - KEY_SHARE or column.rows < 2:
        return False
    if column.unique_share < KEY_SHARE:
        return False
    return not view.table.is_sampled or whole_distinct(connection, view.table, [name]) >= KEY_SHARE * view.table.rows


def references(sampled: Sampled, view: View, views: Sequence[View]) -> list[Reference]:
    """Tables that a column of the same name leads to, best first."""
    found = []
    for other in views:
        for name in sorted(other.unique & view.columns.keys()):
            if other is view or name in other.roles.get("row_number", ()) or name in view.roles.get("row_number", ()):
                continue
            if name in view.unique and len(view.columns) > len(other.columns):
                continue
            whole = other.table.is_sampled
            of = other.table.whole if whole else other.table.sample
            share = sampled.inside(view.table.sample, name, of, name, whole=whole)
            if share >= JOINED:
                found.append(Reference(name, other, share))
    return sorted(found, key=lambda each: (-each.share, each.other.pattern))


def slate_of(sampled: Sampled, view: View, item: str) -> Slate | None:
    """The columns whose rows are one list: no item and no position twice in it, and several rows."""
    user, session, time = view.first("user"), view.first("session"), view.first("time")
    keys: list[tuple[str, ...]] = [(name,) for name in (*view.roles.get("slate", ()), *view.roles.get("order", ()))]
    if session:
        keys.append((session,))
    together = tuple(each for each in (user, session, time) if each)
    if time:
        keys.append(together)
    for number, key in enumerate(keys):
        own = number < len(keys) - 1 or not time
        position = view.first("position")
        rows = sampled.rows_per(view.table.sample, key)
        if rows < SLATE_ROWS:
            continue
        unique = [sampled.distinct_share(view.table.sample, (*key, each)) for each in (item, position) if each]
        if min(unique) >= SLATE_UNIQUE:
            return Slate(key, own, rows)
    return None


def list_column(sampled: Sampled, view: View, items: Sequence[View]) -> str | None:
    """A column whose cells hold the ids of several items each."""
    for column in view.columns.values():
        if column.lists is None or column.lists.length < SLATE_ROWS:
            continue
        if w.core(column.name) <= LISTED:
            return column.name
        for other in items:
            key = other.first("item")
            mark = column.lists.separator
            if key and sampled.parts_inside(view.table.sample, column.name, mark, other.table.sample, key) >= JOINED:
                return column.name
    return None


def holds(sampled: Sampled, view: View, views: Sequence[View], joined: Sequence[Reference]) -> Holds:
    catalogs = [each for each in views if each is not view and each.first("item") in each.unique]
    if list_column(sampled, view, catalogs) and view.has("time", "session", "user", "slate"):
        return Holds.LISTS
    item = view.first("item")
    if item is None:
        return Holds.SIDE
    if (view.has("label") or _speaks_of_lists(view, views)) and slate_of(sampled, view, item) is not None:
        return Holds.IMPRESSIONS
    acts = view.has("action") and view.has("time")
    somebody = acts or view.has("user", "session", "order") or any(each.other.has("user", "session") for each in joined)
    if somebody and not (item in view.unique and not view.has("time")):
        return Holds.EVENTS
    return Holds.ITEMS


def _speaks_of_lists(view: View, views: Sequence[View]) -> bool:
    """Lists without a label: the file's name says that they were shown, and another file says what users did."""
    shown = set(stem(view)) & SHOWN and not view.has("action")
    return bool(shown) and any(other is not view and other.has("action", "order") for other in views)
