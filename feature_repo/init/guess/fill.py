"""Fills the tables of the log: entries for lists, events and items."""

from __future__ import annotations

from feature_repo.datasets.files.mapping import Values
from feature_repo.init import words as w
from feature_repo.init.guess.columns.actions import action_decision
from feature_repo.init.guess.decisions import Decision, FileGuess, Guess, column_of
from feature_repo.init.guess.entries.events import events_of
from feature_repo.init.guess.entries.impressions import lists_of, target_of
from feature_repo.init.guess.entries.items import items_beside, items_of, items_of_lists
from feature_repo.init.guess.folder import Folder
from feature_repo.init.guess.lookup import Lookup
from feature_repo.init.guess.roles import View
from feature_repo.init.guess.tables import Holds, Reference, list_column
from feature_repo.init.thresholds import JOINED

ITEMLESS = ("search", "visit", "visit_category", "list_cart", "clear_cart")


def add_lists(folder: Folder, view: View, catalog: View | None) -> None:
    sampled, guess = folder.sampled, folder.guess
    cell = list_column(sampled, view, folder.that_hold(Holds.ITEMS))
    assert cell is not None
    guess.files.append(lists_of(guess, sampled, folder.lookup(view), cell))
    target = target_of(sampled, view, cell)
    if target is not None and view.has("action"):
        guess.files += _events_of_target(folder, view, target, cell, catalog)


def _events_of_target(folder: Folder, view: View, target: str, cell: str, catalog: View | None) -> list[FileGuess]:
    """Actions on an item that ``target`` names, and actions without an item, such as searches."""
    guess, name = folder.guess, view.first("action")
    assert name is not None
    action = action_decision(guess, view)
    assert action is not None
    known = dict(action.values.map or {text: text for text in view.columns[name].texts})
    on_item = _texts_on_items(folder, view, target, cell, catalog)
    found = []
    for texts, has_item in ((on_item & known.keys(), True), (known.keys() - on_item, False)):
        chosen = {text: known[text] for text in view.columns[name].texts if text in texts}
        chosen = chosen if has_item else {text: done for text, done in chosen.items() if done in ITEMLESS}
        if not chosen:
            continue
        entry = events_of(Guess(), folder.sampled, folder.lookup(view), None, item=target if has_item else None)
        entry.where = {name: tuple(chosen)}
        entry.reason = (
            f"each row is an action on the item that {target} names" if has_item else "actions without an item"
        )
        entry.columns["action"] = Decision(column_of(name, map=chosen), action.reason)
        found.append(entry)
    return found


def _texts_on_items(folder: Folder, view: View, target: str, cell: str, catalog: View | None) -> set[str]:
    """The texts of the action whose rows name an item: one of the lists' or of the catalog's."""
    name = view.first("action")
    lists = view.columns[cell].lists
    assert name is not None
    assert lists is not None
    of = (catalog.table.sample, catalog.first("item") or "") if catalog is not None else None
    shares = folder.sampled.known_items(view.table.sample, name, target, cell, lists.separator, of)
    return {text for text, share in shares.items() if share >= JOINED}


def add_events(folder: Folder, catalog: View | None) -> None:
    """Files that say what was done; others with users and items only where there is none of them."""
    guess = folder.guess
    views = folder.that_hold(Holds.EVENTS)
    told = [view for view in views if action_decision(Guess(), view) is not None]
    for view in told or ([] if guess.of("impressions") else views[:1]):
        lookup = folder.lookup(view)
        entry = events_of(guess, folder.sampled, lookup, catalog)
        entry.join = lookup.joins
        guess.files.append(entry)
        for name, column in view.columns.items():
            if name not in lookup.named:
                guess.leave_out(view.pattern, name, _why_no_event_column(view, name, column.distinct))
                _note_undone(guess, view, name)
        if not entry.columns.keys() & {"user_id", "session_id"}:
            guess.notes.append(
                f"{view.pattern}: no column is a user or a session: each row counts as a visitor of its own, without a "
                "history. Where there is one, write user_id: {from: COLUMN}"
            )


def _note_undone(guess: Guess, view: View, name: str) -> None:
    """A column that says of some rows that they were cancelled or paid back: they would count all the same."""
    column = view.columns[name]
    undone = [text for text in column.texts if w.speaks_of(text, w.UNDONE)]
    if undone and len(undone) < len(column.texts):
        kept = ", ".join(text for text in column.texts if text not in undone)
        guess.notes.append(
            f"{view.pattern}: rows with the {name} {' or '.join(undone)} count as all others; "
            f"where: {{{name}: [{kept}]}} keeps the rest"
        )


def _why_no_event_column(view: View, name: str, distinct: int) -> str:
    if distinct == 0:
        return "is empty"
    if distinct <= 1:
        return "is the same everywhere"
    if name in view.roles.get("row_number", ()):
        return "counts the rows"
    return "events have no columns of their own"


def add_items(folder: Folder, catalog: View | None) -> None:
    guess, sampled = folder.guess, folder.sampled
    if catalog is not None:
        key = catalog.first("item")
        others = [
            Reference(key, view, 1.0)
            for view in folder.that_hold(Holds.ITEMS)
            if view is not catalog and key is not None and key == view.first("item") and key in view.unique
        ]
        lookup = Lookup(catalog, folder.references[catalog.pattern])
        lookup.references = [each for each in lookup.references if each not in others]
        guess.files.append(items_of(guess, lookup, others))
    by_pattern = folder.by_pattern
    for lists in guess.of("impressions"):
        priced = items_of_lists(guess, lists, by_pattern[lists.path])
        if priced is not None and not any("price" in each.columns for each in guess.of("items")):
            guess.files.append(priced)
    if catalog is not None:
        return
    with_lists = {each.path for each in guess.of("impressions")}
    for entry in [*(each for each in guess.of("events") if each.path not in with_lists), *guess.of("impressions")]:
        item = entry.columns["item_id"].values if "item_id" in entry.columns else Values()
        view = by_pattern[entry.path]
        if not item.source or item.source[0] not in view.columns or view.columns[item.source[0]].lists is not None:
            continue
        beside = items_beside(guess, sampled, entry, view, item.source[0])
        if beside is not None:
            guess.files.append(beside)
            still = set(guess_names(beside))
            guess.left_out = [e for e in guess.left_out if not (e.path == view.pattern and e.column in still)]


def guess_names(entry: FileGuess) -> list[str]:
    """The columns of the file that an entry uses."""
    return [name for each in entry.columns.values() for name in each.values.source]
