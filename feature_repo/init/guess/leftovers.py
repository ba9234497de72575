"""Files that have no part in the log, and what is asked where none has."""

from __future__ import annotations

from feature_repo.init.guess.entries.events import asked_events_of
from feature_repo.init.guess.folder import Folder
from feature_repo.init.guess.roles import View
from feature_repo.init.guess.tables import Holds
from feature_repo.init.profile.column import Kind
from feature_repo.init.reading.tables import Source


def ask_for_events(folder: Folder) -> None:
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


def ignore_the_rest(folder: Folder, source: Source) -> None:
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


def _why_ignored(folder: Folder, view: View) -> str:
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
