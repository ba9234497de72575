"""The table of events, from a file of what users did."""

from __future__ import annotations

from collections.abc import Sequence

from feature_repo.datasets.files.mapping import Values
from feature_repo.init.guess.columns.actions import TARGETS, action_decision
from feature_repo.init.guess.columns.canonical import add_own_names
from feature_repo.init.guess.columns.money import price_decision
from feature_repo.init.guess.columns.people import add_people, add_time
from feature_repo.init.guess.decisions import UNKNOWN, Decision, FileGuess, Guess, Setting, column_of
from feature_repo.init.guess.lookup import Lookup
from feature_repo.init.guess.queries import Sampled
from feature_repo.init.guess.roles import View
from feature_repo.init.profile.column import Column
from feature_repo.init.thresholds import FEW_ORDERS, JOINED, WARM_UP_DAYS, WARM_UP_SHARE
from feature_repo.init.words import ADDRESS, core, is_id_like
from infra.limits import MAX_QUANTITY


def asked_events_of(guess: Guess, sampled: Sampled, lookup: Lookup, ids: Sequence[str]) -> FileGuess:
    """The entry of a file whose names do not say who did what with which item: the user is asked for both."""
    entry = events_of(guess, sampled, lookup, None, item=UNKNOWN)
    columns = lookup.view.columns
    told = "; ".join(f"{name}: {columns[name].distinct:,} values, as {columns[name].examples[0]}" for name in ids)
    for name, what in (("user_id", "the user"), ("item_id", "the item")):
        entry.columns[name] = Decision(column_of(UNKNOWN), f"say which column is {what}", 0.0)
        guess.ask(f"events.{name}.from", f"{lookup.view.pattern}: no name says which column is {what}. {told}", *ids)
    return entry


def events_of(
    guess: Guess, sampled: Sampled, lookup: Lookup, catalog: View | None, *, item: str | None = ""
) -> FileGuess:
    """The entry of a file whose rows are actions on items. ``item``: its column if known, None for actions without."""
    view = lookup.view
    entry = FileGuess("events", view.pattern, "each row is what a user did with an item", format=view.table.format)
    add_people(guess, entry, lookup)
    if item is not None:
        found = Decision(column_of(item), "the item") if item else _item(guess, sampled, view, catalog)
        entry.columns["item_id"] = found
        lookup.named |= set(found.values.source)
    if not add_time(guess, entry, lookup, "event_ts"):
        entry.columns["event_ts"] = Decision(column_of(UNKNOWN), "say which column is the time", 0.0)
        guess.ask(
            "events.event_ts.from",
            f"{view.pattern}: no column is a time",
            'NAME_OF_THE_COLUMN  # with unit: s, or format: "%d/%m/%Y", where it needs one',
        )
    action = action_decision(guess, view)
    if action is None:
        action = Decision(Values(value=UNKNOWN), "say what the rows are", 0.0)
        guess.ask(
            "events.action.value",
            f"{view.pattern}: nothing says what users did: no column with words for actions, no order, no rating",
            *TARGETS,
        )
    entry.columns["action"] = action
    lookup.named |= set(action.values.source)
    _add_numbers(guess, entry, lookup)
    add_own_names(guess, entry, lookup)
    return entry


def _item(guess: Guess, sampled: Sampled, view: View, catalog: View | None) -> Decision:
    """Among several candidates the one that stands in the catalog; else the user is asked."""
    candidates = list(view.roles["item"])
    key = catalog.first("item") if catalog is not None else None
    if catalog is not None and key is not None:
        of = catalog.table.whole if catalog.table.is_sampled else catalog.table.sample
        shares = {
            name: sampled.inside(view.table.sample, name, of, key, whole=catalog.table.is_sampled)
            for name in candidates
        }
        best = max(candidates, key=lambda name: shares[name])
        if shares[best] >= JOINED:
            return Decision(column_of(best), f"{shares[best]:.0%} of its values stand in {catalog.pattern}")
        guess.notes.append(
            f"only {shares[best]:.0%} of the items in {view.pattern} ({best}) stand in {catalog.pattern} ({key}): "
            f"the others have no attributes. Such as {' and '.join(view.columns[best].examples[:2])} here, "
            f"{' and '.join(catalog.columns[key].examples[:2])} there: an id has to be written alike in both"
        )
        return Decision(column_of(best), f"items; {shares[best]:.0%} of them stand in {catalog.pattern}", 0.7)
    ids = [name for name in candidates if is_id_like(name) and not core(name) & ADDRESS]
    if len(ids) > 1:
        guess.ask("events.item_id.from", f"{view.pattern}: {' and '.join(ids)} may both be the item", *ids)
        return Decision(column_of(UNKNOWN), "say which column is the item", 0.0)
    return Decision(column_of(candidates[0]), view.counted(candidates[0], "items"))


def _add_numbers(guess: Guess, entry: FileGuess, lookup: Lookup) -> None:
    view = lookup.view
    quantity = view.first("quantity")
    if quantity is not None:
        entry.columns["quantity"] = _quantity(guess, view, view.columns[quantity])
        lookup.use(quantity)
    price = view.first("price")
    if price is not None:
        entry.columns["price"] = price_decision(guess, view, view.columns[price], "events.price")
        lookup.use(price)
    value = view.first("value")
    if value is not None and lookup.has("order"):
        entry.columns["value"] = price_decision(guess, view, view.columns[value], "events.value")
        lookup.use(value)
    category = view.first("category")
    if category is not None:
        entry.columns["category_id"] = category_decision(view.columns[category])
        lookup.use(category)


def category_decision(column: Column) -> Decision:
    """Of several categories in one cell the first is taken."""
    if column.lists is None:
        return Decision(column_of(column.name), f"{column.distinct:,} categories")
    mark = column.lists.separator
    return Decision(column_of(column.name, cut=mark), f"several separated by {mark!r}: the first is the category", 0.8)


def _quantity(guess: Guess, view: View, column: Column) -> Decision:
    numbers = column.numbers
    assert numbers is not None
    told = [f"{numbers.low:g} to {numbers.high:g}"]
    if numbers.negative:
        told.append(f"{numbers.negative:.1%} are below 0: returns, which are dropped")
        guess.settings["returns"] = Setting("drop", "what was ordered stays known at the time of the order")
    if not numbers.whole:
        told.append("fractions are weights: rounded, at least 1")
    if numbers.high > MAX_QUANTITY:
        guess.notes.append(
            f"{view.pattern}, {column.name}: {numbers.high:,.0f} is more than the log takes ({MAX_QUANTITY:,})"
        )
    return Decision(column_of(column.name, round=not numbers.whole), "; ".join(told))


def add_slates(guess: Guess, days: float, actions: dict[str, float]) -> None:
    """Slates made from events, where no file has lists. ``actions``: with the number of their rows, about."""
    target = next((each for each in TARGETS if each in actions), None)
    if target is None:
        guess.ask("slates.targets", "no file has lists, and no action that could be predicted is known", *TARGETS)
    targets = [target or UNKNOWN]
    if target == "order" and actions["order"] < FEW_ORDERS and "add_to_cart" in actions:
        targets.append("add_to_cart")
    value: dict[str, object] = {"targets": targets}
    warm_up = min(WARM_UP_DAYS, int(days * WARM_UP_SHARE))
    reason = f"no file has lists that were shown: they are made, and the next {' or '.join(targets)} is predicted"
    if len(targets) > 1:
        reason += f"; there are few orders, about {actions['order']:.0f}"
    if warm_up < WARM_UP_DAYS:
        value["warm_up_days"] = warm_up
        reason += f"; the first {warm_up} of {days:.0f} days are history only"
    guess.settings["slates"] = Setting(value, reason)
