"""Which users, sessions and items the tables share."""

from __future__ import annotations

from collections.abc import Sequence

from validation.gates.facts.id_overlap import PAIRS, Overlap, Side
from validation.gates.facts.log_facts import LogFacts
from validation.gates.facts.shared_sessions import SharedSessions
from validation.gates.report.content import Block, Kind, Table, Text, number, percent

NOUNS = {"user_id": "users", "session_id": "sessions", "item_id": "items"}
HEADER = ("ids", "of", "distinct", "also in", "shared", "share of ids", "share of rows", "not shared, e.g.")
ABOUT = (
    "Features of a user, a session or an item come from events and items. What is shown without them has none, and the "
    "model treats it as new."
)


def blocks(facts: LogFacts) -> Sequence[Block]:
    found = [facts.overlap(*pair) for pair in PAIRS]
    rows = [row for each in found for row in (_row(each, each.left, each.right), _row(each, each.right, each.left))]
    hints = [
        Text(f"{NOUNS[each.column].capitalize()} of {each.left.table} and {each.right.table}: {each.hint}.")
        for each in found
        if each.hint is not None
    ]
    return [Text(ABOUT, Kind.NOTE), Table(HEADER, rows), *hints, Text(_sessions(facts.sessions))]


def _row(found: Overlap, side: Side, other: Side) -> tuple[str, ...]:
    return (
        NOUNS[found.column],
        side.table,
        number(side.ids),
        other.table,
        number(found.shared),
        percent(found.shared, side.ids),
        percent(side.matched_rows, side.rows),
        ", ".join(f"'{each[:24]}'" for each in side.unmatched) or "-",
    )


def _sessions(found: SharedSessions) -> str:
    if not found.sessions:
        return "There are no sessions."
    shared = found.of_more_than(1)
    if not shared:
        return f"Each of the {found.sessions:,} sessions is of one user."
    return (
        f"{shared:,} of {found.sessions:,} sessions ({percent(shared, found.sessions)}) are of more than one user; "
        f"'{found.most}' is of {max(found.by_users):,}."
    )
