"""Which users, sessions and items the tables share."""

from __future__ import annotations

from collections.abc import Sequence

from validation.gates.facts.id_overlap import PAIRS, Overlap, Side
from validation.gates.facts.log_facts import LogFacts
from validation.gates.facts.shared_sessions import SharedSessions
from validation.gates.report.content import Block, Kind, Table, Text, number, percent

NOUNS = {"user_id": "users", "session_id": "sessions", "item_id": "items"}
TABLES = {"items": "the catalog", "events": "events", "impressions": "impressions"}
HEADER = ("ids", "that are also in", "shared", "of", "share", "share of rows", "not shared, e.g.")
EXAMPLE = 24  # characters of an id
ABOUT = (
    "Features of a user, a session or an item come from events and items. What is shown without them has none, and the "
    "model treats it as new."
)


def blocks(facts: LogFacts) -> Sequence[Block]:
    found = [facts.overlap(*pair) for pair in PAIRS]
    rows = [row for each in found for row in (_row(each, each.left, each.right), _row(each, each.right, each.left))]
    hints = [Text(_hint(each)) for each in found if each.hint is not None]
    return [Text(ABOUT, Kind.NOTE), Table(HEADER, rows, texts=True), *hints, Text(_sessions(facts.sessions))]


def _row(found: Overlap, side: Side, other: Side) -> tuple[str, ...]:
    return (
        f"{NOUNS[found.column]} of {TABLES[side.table]}",
        TABLES[other.table],
        number(found.shared),
        number(side.ids),
        percent(found.shared, side.ids),
        percent(side.matched_rows, side.rows),
        ", ".join(f"'{each[:EXAMPLE]}'" for each in side.unmatched) or "-",
    )


def _hint(found: Overlap) -> str:
    tables = f"{TABLES[found.left.table]} and {TABLES[found.right.table]}"
    return f"{NOUNS[found.column].capitalize()} of {tables}: {found.hint}."


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
