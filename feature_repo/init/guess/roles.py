"""What a column may be, by its name and its values: the candidates of each role in one table, best first."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from feature_repo.init import words as w
from feature_repo.init.profile.column import Column, Kind
from feature_repo.init.reading.sample import SourceTable
from feature_repo.init.thresholds import ACTIONS_KNOWN, MANY_ACTIONS
from infra.limits import MAX_LABEL

OWN_TIMES = ("event_ts", "shown_ts", "valid_from_ts")  # as the log has them
NAMELESS = re.compile(r"column\d+")  # of a file without a header
ROW_NUMBER = ("column0", "unnamed: 0", "__index_level_0__", "index", "row", "rownum", "row_number", "")


@dataclass(frozen=True)
class View:
    """A table with its columns and their roles. ``unique``: columns whose values are unique in the whole table."""

    table: SourceTable
    columns: dict[str, Column]
    roles: dict[str, tuple[str, ...]]
    unique: frozenset[str] = field(default=frozenset())

    @property
    def pattern(self) -> str:
        return self.table.pattern

    def first(self, role: str) -> str | None:
        found = self.roles.get(role, ())
        return found[0] if found else None

    def counted(self, name: str, what: str) -> str:
        """``603 items``, and that only a sample was looked at."""
        return f"{self.columns[name].distinct:,} {what}{' in the sample' if self.table.is_sampled else ''}"

    def has(self, *roles: str) -> bool:
        return any(self.roles.get(role) for role in roles)


def roles_of(table: SourceTable, columns: tuple[Column, ...]) -> dict[str, tuple[str, ...]]:
    """Role -> columns. A column has at most one role: the first below that it is fit for."""
    found: dict[str, list[tuple[int, str]]] = {}
    for column in columns:
        role, rank = _role(column, table)
        if role:
            found.setdefault(role, []).append((rank, column.name))
    return {role: tuple(name for _, name in sorted(named, key=lambda each: each[0])) for role, named in found.items()}


def _role(column: Column, table: SourceTable) -> tuple[str, int]:
    if column.kind is Kind.EMPTY:
        return "", 0
    for role, fits in _RULES:
        rank = fits(column)
        if rank is not None:
            return role, rank
    return "", 0


# Each rule gives a rank, 0 is best, or None.


def _row_number(column: Column) -> int | None:
    counts = column.kind is Kind.INTEGER and column.unique_share == 1 and column.nulls == 0
    return 0 if counts and column.name.lower() in ROW_NUMBER else None


def _time(column: Column) -> int | None:
    if column.times is None:
        return None
    speaks = w.speaks_of(column.name, w.TIME_CORE)
    if column.name in OWN_TIMES:
        return -1
    if column.kind is Kind.TIME:
        return 0 if speaks else 1
    if NAMELESS.fullmatch(column.name):
        return 1
    return 0 if speaks or w.is_named(column.name, w.TIME) else None


def _id_of(known: frozenset[str]) -> Callable[[Column], int | None]:
    def fits(column: Column) -> int | None:
        if column.kind in (Kind.TIME, Kind.LIST) or not w.is_named(column.name, known):
            return None
        if column.kind is Kind.NUMBER and not w.is_id_like(column.name):
            return None
        if column.numbers is not None and column.numbers.low < 0 and not w.is_id_like(column.name):
            return None
        return 0 if w.is_id_like(column.name) else 1

    return fits


def _item(column: Column) -> int | None:
    """An item's id; ``product`` alone may be a name, so an id in the same table comes first. Addresses come last."""
    rank = _id_of(w.ITEM | w.LINE)(column) if w.core(column.name) - w.LINE else None
    if rank is None or column.kind is Kind.FLAG:
        return None
    return rank + 2 if w.core(column.name) & w.ADDRESS else rank


def _session(column: Column) -> int | None:
    """``session_id``, ``user_session``, ``visit``."""
    found = w.core(column.name)
    rank = _id_of(w.SESSION | w.USER)(column)
    return rank if found & w.SESSION else None


def _user(column: Column) -> int | None:
    return _id_of(w.USER)(column)


def _order(column: Column) -> int | None:
    found = set(w.words(column.name))
    if column.kind is Kind.FLAG or (
        "number" in found and "order" in found and column.numbers and column.numbers.low <= 1
    ):
        return None
    return _id_of(w.ORDER)(column)


def _slate(column: Column) -> int | None:
    return _id_of(w.SLATE)(column) if column.kind is not Kind.FLAG else None


def _action(column: Column) -> int | None:
    """Few texts whose words are known as actions. Numbers are codes of actions only where the name says so."""
    if column.kind not in (Kind.TEXT, Kind.FLAG, Kind.INTEGER) or not 1 <= len(column.values) <= MANY_ACTIONS:
        return None
    named = bool(w.core(column.name) & w.ACTION_CORE)
    if column.kind is not Kind.TEXT:
        return 4 if w.is_named(column.name, w.ACTION) and named and column.distinct > 1 else None
    actions = {text: w.action_of(text) for text in column.texts}
    known = sum(rows for text, rows in column.values if actions[text])
    if known >= ACTIONS_KNOWN * column.filled and (named or (known == column.filled and column.distinct > 1)):
        deep = bool({"order", "add_to_cart"} & set(actions.values()))
        return (0 if deep else 1) + (0 if named else 2)
    return 4 if w.is_named(column.name, w.ACTION - {"name", "category", "kind"}) and named else None


def _price(column: Column) -> int | None:
    if column.kind is Kind.FLAG or not column.is_numeric or not w.core(column.name) & w.PRICE_CORE:
        return None
    return (
        0 if w.core(column.name) <= w.PRICE | w.LINE else 1 if not w.speaks_of(column.name, w.OLD | {"log"}) else None
    )


def _old_price(column: Column) -> int | None:
    found = w.core(column.name)
    fits = column.is_numeric and found & w.PRICE_CORE and found & w.OLD and found <= w.PRICE | w.OLD
    return 0 if fits else None


def _value(column: Column) -> int | None:
    return 0 if column.is_numeric and w.is_named(column.name, w.VALUE | {"price"}) else None


def _quantity(column: Column) -> int | None:
    if not column.is_numeric or not w.core(column.name) & w.QUANTITY_CORE:
        return None
    return 0 if w.is_named(column.name, w.QUANTITY, around=w.ITEM | w.ORDER | w.LINE) else None


def _position(column: Column) -> int | None:
    """Counted from 0 or 1, and with the name of a position."""
    numbers = column.numbers
    if numbers is None or not numbers.whole or numbers.low not in (0, 1):
        return None
    found = w.core(column.name)
    return 0 if found & w.POSITION and found <= w.POSITION | w.POSITION_AROUND else None


def _label(column: Column) -> int | None:
    """An outcome as a flag or small count, or a grade."""
    numbers = column.numbers
    found = w.core(column.name) - w.ACTOR or w.core(column.name)
    if w.is_id_like(column.name):
        return None
    if column.kind is Kind.FLAG or (numbers is not None and numbers.whole and numbers.low >= 0 and numbers.high < 100):
        outcome = any(found & known for known in w.OUTCOMES.values()) and found <= _OUTCOME_WORDS
        if outcome and (column.kind is Kind.FLAG or (numbers is not None and numbers.low == 0)):
            return 1
        graded = found and found <= w.GRADES
        if graded and (column.kind is Kind.FLAG or (numbers is not None and numbers.low == 0)):
            return 0 if numbers is None or numbers.high <= MAX_LABEL else 2
    return None


_OUTCOME_WORDS = frozenset().union(*w.OUTCOMES.values()) | w.ITEM | {"to", "in", "by", "user"}


def _rating(column: Column) -> int | None:
    numbers = column.numbers
    fits = numbers is not None and column.distinct <= 21 and numbers.low >= 0 and numbers.high <= 100
    return 0 if fits and w.is_named(column.name, w.RATING, around=w.ITEM | w.USER) else None


def _named(known: frozenset[str], core: frozenset[str] | None = None) -> Callable[[Column], int | None]:
    def fits(column: Column) -> int | None:
        if column.kind in (Kind.NUMBER, Kind.TIME, Kind.FLAG):
            return None
        ok = w.is_named(column.name, known, around=w.ITEM) and (core is None or w.core(column.name) & core)
        return 0 if ok else None

    return fits


def _title(column: Column) -> int | None:
    texty = column.kind in (Kind.TEXT, Kind.LIST)
    return 0 if texty and w.is_named(column.name, w.TITLE, around=w.ITEM | w.ORDER | w.LINE | w.LONG) else None


def _target(column: Column) -> int | None:
    return 0 if w.is_named(column.name, w.REFERENCE | w.ITEM) and w.core(column.name) & w.REFERENCE else None


_RULES: tuple[tuple[str, Callable[[Column], int | None]], ...] = (
    ("row_number", _row_number),
    ("time", _time),
    ("session", _session),
    ("user", _user),
    ("action", _action),
    ("label", _label),
    ("title", _title),
    ("item", _item),
    ("old_price", _old_price),
    ("price", _price),
    ("quantity", _quantity),
    ("position", _position),
    ("rating", _rating),
    ("order", _order),
    ("slate", _slate),
    ("target", _target),
    ("value", _value),
    ("category", _named(w.CATEGORY | {"code", "main", "parent", "name"}, w.CATEGORY_CORE)),
    ("brand", _named(w.BRAND)),
    ("shop", _named(w.SHOP)),
)
