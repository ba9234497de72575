"""Events made of lists, where no file holds events: what was chosen, and what was shown.

Without events items and users have no history, and most features of the model are empty.
"""

from __future__ import annotations

from feature_repo.datasets.files.mapping import Values
from feature_repo.init.guess.columns.extras import YES
from feature_repo.init.guess.columns.labels import outcome_depth
from feature_repo.init.guess.decisions import Decision, FileGuess, Guess, column_of
from feature_repo.init.guess.roles import View
from feature_repo.init.profile.column import Column, Kind

BY_DEPTH = {1: "view", 2: "add_to_cart", 3: "order"}
BOTH = ("user_id", "session_id", "item_id", "shown_position")  # an event has them as the list has


def events_of_lists(guess: Guess, lists: FileGuess, view: View) -> list[FileGuess]:
    """One entry for each outcome of the label, the deepest as orders, and one for what was shown."""
    label = lists.columns.get("label")
    if label is not None and label.values.equals is not None:
        return [_chosen(lists, label.values.equals)]
    if label is not None and label.values.cut is not None:
        return [_by_part(lists, label.values)]
    outcomes = [view.columns[name] for name in label.values.source if name in view.columns] if label is not None else []
    outcomes = sorted((each for each in outcomes if outcome_depth(each)), key=outcome_depth)
    if not outcomes or "slate_id" not in lists.columns:
        return []
    found = []
    for number, column in enumerate(outcomes):
        deepest = number == len(outcomes) - 1
        action = "order" if deepest else BY_DEPTH[outcome_depth(column)]
        why = f"a row with {column.name}" + (": what is predicted counts as an order" if deepest else "")
        entry = _entry(lists, f"no file holds events: {column.name} is what users did", action, why)
        entry.where |= {column.name: _positives(column)}
        found.append(entry)
    found.append(_entry(lists, "what was shown", "impression", "every row of a list"))
    guess.notes.append(f"events are made of {lists.path}: an item's first lists have no history")
    return found


def _chosen(lists: FileGuess, target: str) -> FileGuess:
    entry = _entry(
        lists, f"no file holds events: {target} is what was chosen", "order", "what is predicted is an order"
    )
    entry.columns["item_id"] = Decision(column_of(target), "the item that was chosen")
    entry.columns.pop("shown_position", None)
    return entry


def _by_part(lists: FileGuess, label: Values) -> FileGuess:
    """The action is in the same part of the cell as the label."""
    entry = _entry(lists, "no file holds events: the lists say what was chosen", "order", "")
    made = label.model_copy(update={"map": {"1": "order", "0": "impression"}})
    entry.columns["action"] = Decision(made, "what was chosen counts as an order, the rest was shown")
    return entry


def _entry(lists: FileGuess, reason: str, action: str, why: str) -> FileGuess:
    entry = FileGuess("events", lists.path, reason, where=dict(lists.where), join=list(lists.join), format=lists.format)
    entry.columns = {name: lists.columns[name] for name in BOTH if name in lists.columns}
    if "shown_ts" in lists.columns:
        entry.columns["event_ts"] = lists.columns["shown_ts"]
    entry.columns["action"] = Decision(Values(value=action), why)
    if "slate_id" in lists.columns:
        entry.columns["request_id"] = Decision(lists.columns["slate_id"].values, "the list that it belongs to")
    return entry


def _positives(column: Column) -> tuple[str, ...]:
    if column.kind is Kind.FLAG:
        return tuple(text for text in column.texts if text.lower() in YES)
    return tuple(text for text in column.texts if float(text) > 0)
