"""The table of items, from a catalog, or from the attributes that stand beside each event."""

from __future__ import annotations

from feature_repo.datasets.files.mapping import Values
from feature_repo.init import words as w
from feature_repo.init.guess.columns.canonical import add_own_names
from feature_repo.init.guess.columns.extras import extra_name, extra_of, flag_map, is_number
from feature_repo.init.guess.columns.money import price_decision
from feature_repo.init.guess.columns.times import time_decision
from feature_repo.init.guess.decisions import Decision, FileGuess, Group, Guess, column_of
from feature_repo.init.guess.entries.events import category_decision
from feature_repo.init.guess.lookup import Lookup
from feature_repo.init.guess.queries import Sampled
from feature_repo.init.guess.roles import View
from feature_repo.init.guess.tables import Reference
from feature_repo.init.profile.column import Column, Kind, Lists
from feature_repo.init.thresholds import ATTRIBUTE_SHARE, FEW_NAMES, FEW_VALUES, FIXED, KEY_SHARE
from infra.limits import MAX_TEXT_LENGTH

COMMON = (("brand", "brand"), ("shop", "shop_id"), ("price", "price"), ("old_price", "old_price"))  # role, column
PRICES = ("price", "old_price")
TEXT_OF = {
    "item_extras": "a category of the model where enough items share it",
    "context": "a category of the model",
}


def items_of(guess: Guess, lookup: Lookup, others: list[Reference]) -> FileGuess:
    """The entry of a catalog; ``others``: further tables with one row per item, joined where they tell something."""
    view = lookup.view
    entry = FileGuess("items", view.pattern, "one row per item", format=view.table.format)
    key = view.first("item")
    assert key is not None
    entry.columns["item_id"] = Decision(
        column_of(key), f"{view.table.rows:,} rows" + (", one per item" if key in view.unique else "")
    )
    lookup.use(key)
    time = next((name for name in view.roles.get("time", ()) if w.speaks_of(name, w.VALID_FROM)), None)
    if time is not None or (key not in view.unique and view.has("time")):
        name = time or view.roles["time"][0]
        entry.columns["valid_from_ts"] = time_decision(guess, view, name, "items.valid_from_ts")
        lookup.use(name)
    _add_common(guess, entry, lookup, view)
    add_own_names(guess, entry, lookup)
    for also in others:
        _add_common(guess, entry, lookup, also.other, also)
    for name, owner, reference in lookup.all_columns():
        _add_extra(guess, entry, lookup, owner, name, reference)
    for also in others:
        for name in also.other.columns:
            if name not in view.columns:
                _add_extra(guess, entry, lookup, also.other, name, also)
    entry.join = lookup.joins
    return entry


def _add_common(guess: Guess, entry: FileGuess, lookup: Lookup, view: View, reference: Reference | None = None) -> None:
    """Category, brand, shop and prices of ``view``: the catalog, or what is joined to it. What is there stays."""
    category = None if "category_id" in entry.columns else _category(view)
    if category is not None:
        entry.columns["category_id"] = category_decision(view.columns[category])
        lookup.use(category, reference)
    for role, target in COMMON:
        name = view.first(role)
        if name is None or target in entry.columns:
            continue
        if target in PRICES:
            entry.columns[target] = price_decision(guess, view, view.columns[name], f"items.{target}")
        else:
            entry.columns[target] = Decision(column_of(name), view.counted(name, "of them"))
        lookup.use(name, reference)


def _category(view: View) -> str | None:
    """The finest category that several items share; without one, labels in a cell, of which the first counts."""
    categories = [view.columns[name] for name in view.roles.get("category", ())]
    fit = [each for each in categories if each.distinct <= max(ATTRIBUTE_SHARE * each.filled, 2)]
    if fit:
        return max(fit, key=lambda each: (each.lists is None, round(1 - each.nulls, 1), each.distinct)).name
    labels = [
        name for name, lists in _label_lists(view) if lists.distinct <= ATTRIBUTE_SHARE * view.columns[name].filled
    ]
    return labels[0] if not categories and len(labels) == 1 else None


def _label_lists(view: View) -> list[tuple[str, Lists]]:
    """Columns with several labels in one cell."""
    return [(c.name, c.lists) for c in view.columns.values() if c.lists is not None and not c.lists.numeric]


def _add_extra(
    guess: Guess, entry: FileGuess, lookup: Lookup, owner: View, name: str, reference: Reference | None
) -> None:
    column = owner.columns[name]
    if name in lookup.named or (reference is not None and name == reference.column):
        return
    reason = not_an_attribute(column, owner, len_items=lookup.view.table.rows)
    if reason is None and reference is not None and reference.other.first("item") != reference.column:
        reason = _same_as_key(reference, column)
    if reason is not None:
        guess.leave_out(owner.pattern, name, reason)
        return
    add_extra(guess, entry, owner, column)
    lookup.use(name, reference)


def add_extra(guess: Guess, entry: FileGuess, owner: View, column: Column, values: Values | None = None) -> None:
    """Declare the column and map it. A second file with the same column shares the declaration."""
    group: Group = "item_extras" if entry.table == "items" else "facts" if is_number(column) else "context"
    known = next((each for each in guess.extras if (each.group, each.source) == (group, column.name)), None)
    if known is None or known.column.name in entry.columns:
        others = {each.column.name for each in guess.extras} | set(entry.columns)
        known = extra_of(group, owner, column, extra_name(column.name, others))
        guess.extras.append(known)
    made = values if values is not None else column_of(column.name, **flag_map(column))
    kind = "a number: a feature of the model" if is_number(column) else f"a text: {TEXT_OF[group]}"
    entry.columns[known.column.name] = Decision(made, f"{kind}, {group} of dataset.json")


def not_an_attribute(column: Column, owner: View, *, len_items: int) -> str | None:
    """Why a column of items is left out, or None."""
    roles = {role for role, named in owner.roles.items() if column.name in named}
    if column.kind is Kind.EMPTY:
        return "is empty"
    if column.distinct == 1:
        return f"is {column.examples[0]!r} everywhere"
    if "row_number" in roles:
        return "counts the rows"
    if "title" in roles:
        return "text is not used"
    if column.kind is Kind.TIME or (column.times is not None and "time" in roles):
        return "a time that is not the item's valid_from_ts"
    if column.kind is Kind.LIST:
        return "several values in one cell: only a category takes the first of them"
    many = column.unique_share > KEY_SHARE - 0.1 and column.distinct > FEW_VALUES
    if column.kind is Kind.INTEGER and w.is_id_like(column.name) and many:
        return "ids of another system"
    if column.kind is Kind.TEXT and (column.length > MAX_TEXT_LENGTH / 2 or _is_free_text(column, len_items)):
        return "almost every item has its own: a name or an id, not an attribute"
    return None


def _is_free_text(column: Column, items: int) -> bool:
    return column.distinct > FEW_NAMES and column.distinct > ATTRIBUTE_SHARE * items


def _same_as_key(reference: Reference, column: Column) -> str | None:
    """A text of a side table is only the name of its key, unless several keys share it."""
    if column.kind is Kind.TEXT and column.unique_share > KEY_SHARE - 0.1:
        return f"only the name of {reference.column}"
    return None


def items_beside(guess: Guess, sampled: Sampled, source: FileGuess, view: View, item: str) -> FileGuess | None:
    """Items whose attributes stand in each event or list row: no catalog is there. None where there are none."""
    entry = FileGuess(
        "items", view.pattern, "no catalog: attributes stand beside each row, and hold from its time on",
        where=dict(source.where), format=view.table.format,
    )  # fmt: skip
    lookup, asked, extras = Lookup(view, ()), len(guess.questions), len(guess.extras)
    entry.columns["item_id"] = Decision(source.columns["item_id"].values, "the item of the row")
    made = source.columns.get("shown_ts" if source.table == "impressions" else "event_ts")
    if made is not None and made.values.relative is None:
        entry.columns["valid_from_ts"] = Decision(made.values, "known since the row's time", made.certainty)
    fixed = {name for name in view.columns if name != item and _belongs_to(sampled, view, item, name)}
    roles = {
        role: tuple(c for c in named if c in fixed or role in ("price", "old_price"))
        for role, named in view.roles.items()
    }
    _add_common(guess, entry, lookup, View(view.table, view.columns, roles, view.unique))
    used = lookup.named | {c for each in source.columns.values() for c in each.values.source}
    if source.table == "events":
        for name in sorted(fixed - used, key=list(view.columns).index):
            column = view.columns[name]
            if not_an_attribute(column, view, len_items=view.columns[item].distinct) is None and not _is_someones(
                view, name
            ):
                add_extra(guess, entry, view, column)
    made_of = entry.columns.keys() - {"item_id", "valid_from_ts"}
    said = {"price", "category_id"} if source.table == "events" else set()  # the adapter takes these from the events
    if made_of - said:
        return entry
    del guess.questions[asked:], guess.extras[extras:]
    return None


def _belongs_to(sampled: Sampled, view: View, item: str, name: str) -> bool:
    mean = sampled.values_per(view.table.sample, item, name)
    return 0 < mean <= FIXED and view.columns[name].distinct > 1


def _is_someones(view: View, name: str) -> bool:
    """A column of the user, the session or the order is no attribute of the item."""
    return any(
        name in view.roles.get(role, ()) for role in ("user", "session", "order", "slate", "time", "action", "label")
    )


def items_of_lists(guess: Guess, lists: FileGuess, view: View) -> FileGuess | None:
    """Prices that stand beside the items of a list, as they were at its time."""
    for name, decision in lists.columns.items():
        column = view.columns.get(decision.values.source[0]) if decision.values.source else None
        if column is None or column.lists is None or not column.lists.numeric or "shown_ts" not in lists.columns:
            continue
        if w.core(column.name) & w.PRICE_CORE and w.core(column.name) <= w.PRICE | w.PRICE_CORE and name != "item_id":
            entry = FileGuess("items", view.pattern, "prices as the lists show them", where=dict(lists.where))
            entry.format = view.table.format
            entry.columns["item_id"] = lists.columns["item_id"]
            entry.columns["valid_from_ts"] = Decision(lists.columns["shown_ts"].values, "known since the list's time")
            entry.columns["price"] = Decision(decision.values, "the item's price in the list")
            return entry
    return None
