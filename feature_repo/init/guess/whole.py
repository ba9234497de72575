"""The guess of a whole folder: which file fills which table, and what is made because no file holds it."""

from __future__ import annotations

from collections.abc import Sequence

from feature_repo.datasets.files.mapping import Values
from feature_repo.init.guess.columns.actions import action_decision
from feature_repo.init.guess.decisions import Decision, FileGuess, Guess, Setting, column_of
from feature_repo.init.guess.entries.events import add_slates, asked_events_of, events_of
from feature_repo.init.guess.entries.impressions import impressions_of, lists_of, target_of
from feature_repo.init.guess.entries.items import items_beside, items_of, items_of_lists
from feature_repo.init.guess.entries.outcomes import events_of_lists
from feature_repo.init.guess.lookup import Lookup
from feature_repo.init.guess.overlap import note_overlaps, note_shared_sessions
from feature_repo.init.guess.queries import Sampled
from feature_repo.init.guess.roles import View
from feature_repo.init.guess.tables import Holds, Reference, holds, list_column, references
from feature_repo.init.profile.column import Kind
from feature_repo.init.reading.tables import Source
from feature_repo.init.thresholds import JOINED


class _Folder:
    """The views of a source by what they hold, and the guess that grows."""

    def __init__(self, sampled: Sampled, views: Sequence[View]) -> None:
        self.sampled, self.views, self.guess = sampled, views, Guess()
        self.references = {view.pattern: references(sampled, view, views) for view in views}
        self.holds = {view.pattern: holds(sampled, view, views, self.references[view.pattern]) for view in views}

    def that_hold(self, what: Holds) -> list[View]:
        return [view for view in self.views if self.holds[view.pattern] is what]

    def lookup(self, view: View) -> Lookup:
        catalogs = {each.pattern for each in self.that_hold(Holds.ITEMS)}
        return Lookup(view, [each for each in self.references[view.pattern] if each.other.pattern not in catalogs])


def guessed(sampled: Sampled, source: Source, views: Sequence[View]) -> Guess:
    """What all files mean."""
    folder = _Folder(sampled, views)
    guess = folder.guess
    catalog = _main_catalog(folder)
    for view in folder.that_hold(Holds.LISTS):
        _add_lists(folder, view, catalog)
    for view in folder.that_hold(Holds.IMPRESSIONS):
        guess.files.append(impressions_of(guess, sampled, folder.lookup(view)))
    _add_events(folder, catalog)
    if not guess.of("events"):
        by_pattern = {view.pattern: view for view in views}
        for lists in guess.of("impressions"):
            guess.files += events_of_lists(guess, lists, by_pattern[lists.path])
    _add_items(folder, catalog)
    if not guess.of("impressions") and not guess.of("events"):
        guess.files = []
        _ask_for_events(folder)
    if not guess.of("impressions") and guess.of("events"):
        add_slates(guess, _days(folder), _actions(folder))
    _date_catalog(folder, catalog)
    note_overlaps(guess, sampled, {view.pattern: view for view in views})
    note_shared_sessions(guess, sampled, {view.pattern: view for view in views})
    _ignore_the_rest(folder, source)
    for view in views:
        for name in view.table.nested:
            guess.leave_out(view.pattern, name, "its cells have fields of their own: write one line for each of them")
    guess.files.sort(key=lambda entry: ("events", "impressions", "items").index(entry.table))
    return guess


def _main_catalog(folder: _Folder) -> View | None:
    """The table of items with most columns that tell something."""
    catalogs = folder.that_hold(Holds.ITEMS)
    used = {each.other.pattern for refs in folder.references.values() for each in refs}
    return max(
        catalogs,
        key=lambda view: (view.pattern in used, view.has("category", "price", "brand", "title"), len(view.columns)),
        default=None,
    )


def _add_lists(folder: _Folder, view: View, catalog: View | None) -> None:
    sampled, guess = folder.sampled, folder.guess
    cell = list_column(sampled, view, folder.that_hold(Holds.ITEMS))
    assert cell is not None
    guess.files.append(lists_of(guess, sampled, folder.lookup(view), cell))
    target = target_of(sampled, view, cell)
    if target is not None and view.has("action"):
        guess.files += _events_of_target(folder, view, target, cell, catalog)


def _events_of_target(folder: _Folder, view: View, target: str, cell: str, catalog: View | None) -> list[FileGuess]:
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


ITEMLESS = ("search", "visit", "visit_category", "list_cart", "clear_cart")


def _texts_on_items(folder: _Folder, view: View, target: str, cell: str, catalog: View | None) -> set[str]:
    """The texts of the action whose rows name an item: one of the lists' or of the catalog's."""
    name = view.first("action")
    lists = view.columns[cell].lists
    assert name is not None
    assert lists is not None
    of = (catalog.table.sample, catalog.first("item") or "") if catalog is not None else None
    shares = folder.sampled.known_items(view.table.sample, name, target, cell, lists.separator, of)
    return {text for text, share in shares.items() if share >= JOINED}


def _add_events(folder: _Folder, catalog: View | None) -> None:
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


def _why_no_event_column(view: View, name: str, distinct: int) -> str:
    if distinct <= 1:
        return "is the same everywhere"
    if name in view.roles.get("row_number", ()):
        return "counts the rows"
    return "events have no columns of their own"


def _add_items(folder: _Folder, catalog: View | None) -> None:
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
    by_pattern = {view.pattern: view for view in folder.views}
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


def _actions(folder: _Folder) -> dict[str, float]:
    """Action -> its rows in all events, about."""
    found: dict[str, float] = {}
    by_pattern = {view.pattern: view for view in folder.views}
    for entry in folder.guess.of("events"):
        view, values = by_pattern[entry.path], entry.columns["action"].values
        for action, rows in _rows_of(values, view):
            found[action] = found.get(action, 0) + rows * view.table.rows / max(
                next(iter(view.columns.values())).rows, 1
            )
    return found


def _rows_of(values: Values, view: View) -> list[tuple[str, int]]:
    """(action, rows in the sample) of the texts or thresholds of an action's column."""
    if not values.source:
        return [(str(values.value), next(iter(view.columns.values())).rows)]
    told = view.columns[values.source[0]].values
    if values.at_least is not None:
        steps = sorted(values.at_least.items())
        return [(str([made for low, made in steps if low <= float(text)][-1]), rows) for text, rows in told]
    known = values.map if values.map is not None else {text: text for text, _ in told}
    return [(str(known[text]), rows) for text, rows in told if text in known]


def _days(folder: _Folder) -> float:
    """From the first event to the last."""
    spans = [
        times.days
        for view in folder.views
        if view.pattern in {each.path for each in folder.guess.of("events")}
        for name in view.roles.get("time", ())[:1]
        if (times := view.columns[name].times) is not None
    ]
    return max(spans, default=365.0)


def _ask_for_events(folder: _Folder) -> None:
    """Nothing is known as an event. A file with a time, as one without a header, is asked about column by column."""
    best = max(folder.views, key=lambda view: (view.has("time", "action"), view.table.rows))
    ids = [column.name for column in best.columns.values() if column.kind in (Kind.INTEGER, Kind.TEXT)]
    ids = [name for name in ids if name not in (*best.roles.get("time", ()), *best.roles.get("action", ()))]
    if best.has("time", "action") and len(ids) > 1:
        folder.guess.files.append(asked_events_of(folder.guess, folder.sampled, folder.lookup(best), ids))
        return
    listed = "; ".join(f"{view.pattern}: {', '.join(list(view.columns)[:12])}" for view in folder.views)
    folder.guess.ask(
        "files",
        f"no file says which user or session did what with which item. Found: {listed}",
        "- {table: events, path: FILE, columns: {user_id: {from: A}, item_id: {from: B}, event_ts: {from: C}, "
        "action: {value: order}}}",
    )


def _date_catalog(folder: _Folder, catalog: View | None) -> None:
    """A catalog that is dated after the first event would not be known when it happened."""
    entry = next(iter(folder.guess.of("items")), None)
    if catalog is None or entry is None or "valid_from_ts" not in entry.columns:
        return
    dated = catalog.columns[entry.columns["valid_from_ts"].values.source[0]].times
    used = [
        times.first
        for view in (
            *folder.that_hold(Holds.EVENTS),
            *folder.that_hold(Holds.IMPRESSIONS),
            *folder.that_hold(Holds.LISTS),
        )
        for name in view.roles.get("time", ())[:1]
        if (times := view.columns[name].times) is not None
    ]
    if dated is not None and used and dated.first > min(used):
        folder.guess.settings["catalog"] = Setting(
            "from_start",
            f"the catalog is dated from {dated.first:%Y-%m-%d} on, after the first event: an export's date",
        )


def _ignore_the_rest(folder: _Folder, source: Source) -> None:
    guess = folder.guess
    used = {entry.path for entry in guess.files} | {join.path for entry in guess.files for join in entry.join}
    for view in folder.views:
        if view.pattern not in used:
            guess.ignored[view.pattern] = _why_ignored(folder, view)
    for unreadable in source.unreadable:
        if unreadable.matters:
            guess.ask(
                "ignore", f"{unreadable.name} {unreadable.problem}: mend it, or leave it out", f'["{unreadable.name}"]'
            )
        guess.ignored[unreadable.name] = unreadable.problem
        guess.unread.add(unreadable.name)
    for pattern, doubt in source.doubts.items():
        if pattern not in used and guess.of("events"):
            guess.notes.append(f"{pattern}: {doubt}; it is no part of the log")
            continue
        guess.ask(f"files.{pattern}.format.header", f"{pattern}: {doubt}", "true", "false")


def _why_ignored(folder: _Folder, view: View) -> str:
    what = folder.holds[view.pattern]
    if what is Holds.EVENTS:
        return "does not say what users did: no action, order or rating"
    if what is Holds.ITEMS:
        return "tells nothing more of the items: only names and ids of other systems"
    if view.has("user") and set(view.roles["user"]) & view.unique:
        return "attributes of users: the log has none"
    if any(each.other is view for refs in folder.references.values() for each in refs):
        return "only names of what other files refer to"
    return "has neither items nor what users did"
