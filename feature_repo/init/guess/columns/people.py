"""Users and sessions, which events and lists have alike; the relative times of orders."""

from __future__ import annotations

from feature_repo.datasets.files.mapping import RelativeTime, Values
from feature_repo.init import words as w
from feature_repo.init.guess.columns.times import time_decision
from feature_repo.init.guess.decisions import Decision, FileGuess, Guess, Setting, column_of
from feature_repo.init.guess.lookup import Found, Lookup
from feature_repo.init.profile.column import Column
from feature_repo.init.thresholds import SESSION_GAP_MINUTES

SINCE = w.a_set("since prior previous last between gap after")


def add_people(guess: Guess, entry: FileGuess, lookup: Lookup) -> None:
    """The columns user_id and session_id, where they are."""
    user = lookup.first("user")
    if user is not None:
        entry.columns["user_id"] = Decision(column_of(user.name), _users(user))
    session = lookup.first("session")
    if session is not None:
        missing = "" if not session.column.nulls else f"; {session.column.nulls:.0%} have none: cut where a user pauses"
        entry.columns["session_id"] = Decision(column_of(session.name), f"visits{missing}")
        return
    order = lookup.first("order") if entry.table == "events" else None
    if order is not None:
        entry.columns["session_id"] = Decision(column_of(order.name), "no sessions in the files: an order is one")
    elif user is not None and entry.table == "events":
        guess.settings.setdefault(
            "sessions",
            Setting({"gap_minutes": SESSION_GAP_MINUTES}, "no sessions in the files: cut where a user pauses so long"),
        )


def _users(found: Found) -> str:
    column = found.column
    told = found.view.counted(found.name, "users")
    if column.source_type.startswith(("FLOAT", "DOUBLE")) or any(each.endswith(".0") for each in column.examples):
        told += f"; {column.examples[0]} is read as a whole number"
    if column.nulls:
        told += f"; {column.nulls:.0%} of the rows have none: their session stands for the user"
    return told


def add_time(guess: Guess, entry: FileGuess, lookup: Lookup, name: str) -> bool:
    """The column ``name`` from a time, or from the days between a user's orders. False where there is neither."""
    time = lookup.first("time")
    if time is not None and name == "shown_ts" and _is_one_instant(time.column):
        reason = (
            f"all lists are of one instant, {time.column.examples[0]}: they get a seeded random order, the split, too"
        )
        guess.settings["times"] = Setting("made", reason)
        return True
    if time is not None:
        entry.columns[name] = time_decision(guess, time.view, time.name, f"{entry.table}.{name}")
        return True
    relative = _relative(lookup)
    if relative is None:
        return False
    entry.columns[name] = Decision(
        Values(relative=relative),
        f"no dates: {relative.days} tells the days between a user's orders; the last ones are laid into the same weeks",
        0.9,
    )
    return True


def _is_one_instant(column: Column) -> bool:
    return column.times is not None and column.times.first == column.times.last and column.rows > 1


def _relative(lookup: Lookup) -> RelativeTime | None:
    """Days since the user's last order, the orders' number, and the hour."""
    user = lookup.peek("user")
    found: dict[str, str] = {}
    for name, view, reference in lookup.all_columns():
        part = _part_of_relative(view.columns[name])
        if part and part not in found:
            found[part] = name
            if reference is not None:
                lookup.use(name, reference)
    if user is None or not {"days", "order"} <= found.keys():
        return None
    lookup.named |= set(found.values())
    return RelativeTime(per=user.name, order=found["order"], days=found["days"], hour=found.get("hour"))


def _part_of_relative(column: Column) -> str | None:
    found, numbers = set(w.words(column.name)), column.numbers
    if "days" in found and found & SINCE and numbers is not None and numbers.low >= 0:
        return "days"
    counted = numbers is not None and numbers.whole and numbers.low in (0, 1)
    if found & w.ORDER and found & {"number", "seq", "sequence", "nr", "nth"} and counted:
        return "order"
    return "hour" if "hour" in found and column.distinct <= 24 else None
