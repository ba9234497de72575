"""The table of impressions: one row per candidate, or a list of candidates in one cell."""

from __future__ import annotations

from feature_repo.init.guess.columns.canonical import add_own_names
from feature_repo.init.guess.columns.extras import is_number
from feature_repo.init.guess.columns.labels import label_decision
from feature_repo.init.guess.columns.leaks import leak_of
from feature_repo.init.guess.columns.people import add_people, add_time
from feature_repo.init.guess.decisions import UNKNOWN, Decision, FileGuess, Guess, Setting, column_of
from feature_repo.init.guess.entries.items import add_extra
from feature_repo.init.guess.lookup import Lookup
from feature_repo.init.guess.queries import Sampled
from feature_repo.init.guess.roles import View
from feature_repo.init.guess.tables import Slate, slate_of
from feature_repo.init.profile.column import Column, Kind
from feature_repo.init.thresholds import CHOSEN, CONSTANT, FEW_VALUES, KEY_SHARE
from infra.limits import MAX_TEXT_LENGTH


def impressions_of(guess: Guess, sampled: Sampled, lookup: Lookup) -> FileGuess:
    """The entry of a file with one row per candidate."""
    view = lookup.view
    item = view.first("item")
    assert item is not None
    slate = slate_of(sampled, view, item)
    assert slate is not None
    told = f"one row per candidate: {slate.rows:.1f} rows have the same {', '.join(slate.key)}, and a label"
    entry = FileGuess("impressions", view.pattern, told, format=view.table.format)
    made = column_of(slate.key[0]).model_copy(update={"source": slate.key})
    entry.columns["slate_id"] = Decision(made, f"{slate.rows:.1f} rows each, no item and no position twice")
    if slate.own:
        lookup.named |= set(slate.key)
    add_people(guess, entry, lookup)
    entry.columns["item_id"] = Decision(column_of(item), view.counted(item, "items"))
    lookup.use(item)
    if not add_time(guess, entry, lookup, "shown_ts"):
        guess.settings["times"] = Setting(
            "made", "no times in the files: lists get a seeded random order, the split, too"
        )
    _add_position(guess, entry, lookup)
    sources: list[str] = []
    positive = "NULL"
    if view.has("label"):
        entry.columns["label"], sources, positive = label_decision(sampled, view)
    else:
        guess.notes.append(f"{view.pattern} has no label: it is made of the events within 24 hours after each list")
    lookup.named |= set(sources)
    add_own_names(guess, entry, lookup)
    for name in view.roles.get("label", ()):
        if name not in sources:
            guess.leave_out(view.pattern, name, f"LEAK: an outcome beside {', '.join(sources)}")
            lookup.named.add(name)
    _add_facts(guess, sampled, entry, lookup, slate, positive)
    entry.join = lookup.joins
    return entry


def _add_position(guess: Guess, entry: FileGuess, lookup: Lookup) -> None:
    name = lookup.view.first("position")
    if name is None:
        return
    numbers = lookup.view.columns[name].numbers
    assert numbers is not None
    made = column_of(name, minus=numbers.low)
    entry.columns["input_position"] = Decision(made, f"the order of the list, counted from {numbers.low:g}")
    if name != "input_position":
        entry.columns["shown_position"] = Decision(made, "shown in this order: position bias is corrected by it")
    lookup.use(name)


def _add_facts(guess: Guess, sampled: Sampled, entry: FileGuess, lookup: Lookup, slate: Slate, positive: str) -> None:
    view = lookup.view
    for name, column in view.columns.items():
        if name in lookup.named:
            continue
        reason = _not_a_fact(view, column) or leak_of(sampled, view, column, positive)
        texty = not is_number(column)
        if reason is None and texty:
            reason = _not_context(sampled, view, column, slate)
        if reason is None:
            add_extra(guess, entry, view, column)
        else:
            guess.leave_out(view.pattern, name, reason)
        lookup.use(name)


def _not_a_fact(view: View, column: Column) -> str | None:
    if column.kind is Kind.EMPTY:
        return "is empty"
    if column.distinct == 1:
        return f"is {column.examples[0]!r} everywhere"
    if column.name in view.roles.get("row_number", ()):
        return "counts the rows"
    if column.kind is Kind.TIME or column.name in view.roles.get("time", ()):
        return "a further time"
    if column.kind is Kind.LIST:
        return "several values in one cell"
    if column.name in view.roles.get("title", ()):
        return "text is not used"
    return None


def _not_context(sampled: Sampled, view: View, column: Column, slate: Slate) -> str | None:
    if column.length > MAX_TEXT_LENGTH / 2:
        return "text is not used"
    if sampled.constant_share(view.table.sample, slate.key, column.name) < CONSTANT:
        return "a text that differs within a list: only numbers may differ"
    if column.distinct > FEW_VALUES and column.distinct * slate.rows > column.filled / 2:
        return "almost every list has its own"
    return None


def lists_of(guess: Guess, sampled: Sampled, lookup: Lookup, cell: str) -> FileGuess:
    """The entry of a file whose column ``cell`` holds a whole list."""
    view = lookup.view
    column = view.columns[cell]
    assert column.lists is not None
    mark = column.lists.separator
    told = f"{cell} holds {column.lists.length:.1f} items on average, separated by {mark!r}"
    entry = FileGuess("impressions", view.pattern, told, format=view.table.format)
    entry.where = _where(sampled, view, cell)
    split = {} if column.source_type.endswith("[]") else {"split": mark}
    add_people(guess, entry, lookup)
    key = _key_of_rows(sampled, view)
    if key:
        made = column_of(key[0]).model_copy(update={"source": key})
        entry.columns["slate_id"] = Decision(made, "one list per row")
        lookup.named |= set(key)
    apart = _label_in_part(sampled, view, cell, mark)
    cut = {"cut": apart} if apart else {}
    entry.columns["item_id"] = Decision(column_of(cell, **split, **cut), told)
    if not add_time(guess, entry, lookup, "shown_ts"):
        guess.settings["times"] = Setting(
            "made", "no times in the files: lists get a seeded random order, the split, too"
        )
    at = column_of(cell).model_copy(update={"source": (), "index_of": cell})
    entry.columns["input_position"] = Decision(at, "the order in the cell")
    entry.columns["shown_position"] = Decision(at, "shown in this order: position bias is corrected by it")
    lookup.use(cell)
    target = target_of(sampled, view, cell)
    if apart:
        label = column_of(cell, **split, cut=apart, part=-1)
        entry.columns["label"] = Decision(label, f"1 or 0 behind the {apart!r} of each item")
    elif target is not None:
        lookup.use(target)
        entry.columns["label"] = Decision(
            column_of(target).model_copy(update={"source": (), "equals": target}), f"1 for the item that {target} names"
        )
    else:
        entry.columns["label"] = Decision(column_of(UNKNOWN), "say which column names the item that was chosen", 0.0)
        guess.ask(
            "impressions.label.equals", f"{view.pattern}: no column names an item of {cell}: what did the user choose?",
            "NAME_OF_THE_COLUMN",
        )  # fmt: skip
    _add_aligned(guess, sampled, entry, lookup, cell)
    return entry


def _key_of_rows(sampled: Sampled, view: View) -> tuple[str, ...]:
    """What names a row that is a list: an id, or its number in the session. (): user, session and time do."""
    slate = view.first("slate")
    if slate is not None and slate in view.unique:
        return (slate,)
    owner = view.first("session") or view.first("user")
    if owner is None:
        return ()
    for column in view.columns.values():
        counts = column.numbers is not None and column.numbers.whole and column.numbers.low in (0, 1)
        if counts and sampled.distinct_share(view.table.sample, (owner, column.name)) >= KEY_SHARE:
            return (owner, column.name)
    return ()


def _where(sampled: Sampled, view: View, cell: str) -> dict[str, tuple[str, ...]]:
    """Only some actions come with a list."""
    name = view.first("action")
    if name is None or not view.columns[cell].nulls:
        return {}
    found = [value for value, rows, filled in sampled.when_filled(view.table.sample, cell, name) if filled >= rows / 2]
    return {name: tuple(found)} if found else {}


def target_of(sampled: Sampled, view: View, cell: str) -> str | None:
    """The column whose value is, in most rows, one of the list."""
    lists = view.columns[cell].lists
    assert lists is not None
    candidates = [*view.roles.get("target", ()), *view.roles.get("item", ())]
    candidates += [c.name for c in view.columns.values() if c.lists is None and c.name not in candidates]
    for name in candidates:
        if name != cell and sampled.in_cell_share(view.table.sample, name, cell, lists.separator) >= CHOSEN:
            return name
    return None


def _label_in_part(sampled: Sampled, view: View, cell: str, mark: str) -> str:
    """The sign between an item and its label, as in ``N55689-1 N35729-0``; "" where there is none."""
    for sign in ("-", ":", "_", "="):
        if sign != mark and sampled.ends_in_flag_share(view.table.sample, cell, mark, sign) == 1:
            return sign
    return ""


def _add_aligned(guess: Guess, sampled: Sampled, entry: FileGuess, lookup: Lookup, cell: str) -> None:
    """Other cells with as many numbers are facts of the candidates; single texts are the context of the list."""
    view = lookup.view
    lists = view.columns[cell].lists
    assert lists is not None
    spoken_for = {c for role in ("action", "time", "target", "label", "item") for c in view.roles.get(role, ())}
    for name, column in view.columns.items():
        if name in lookup.named | spoken_for:
            continue
        reason = _not_beside(sampled, view, cell, column)
        if reason is not None:
            guess.leave_out(view.pattern, name, reason)
        elif column.lists is not None and not column.source_type.endswith("[]"):
            add_extra(guess, entry, view, column, column_of(name, split=column.lists.separator))
        else:
            add_extra(guess, entry, view, column)
        lookup.use(name)


def _not_beside(sampled: Sampled, view: View, cell: str, column: Column) -> str | None:
    if column.lists is not None:
        lists = view.columns[cell].lists
        assert lists is not None
        marks = (lists.separator, column.lists.separator)
        aligned = sampled.same_length_share(view.table.sample, cell, column.name, marks) >= CONSTANT
        return None if aligned and column.lists.numeric else "several values in one cell, not one for each item"
    if column.kind is not Kind.TEXT or column.distinct > FEW_VALUES:
        return _not_a_fact(view, column) or "of the row, not of the list's items"
    return _not_a_fact(view, column)
