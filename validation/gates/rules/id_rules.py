"""Rules on ids: those of one user, session or item are the same in all tables, and belong to one of them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from validation.gates.facts.id_overlap import PAIRS, Overlap, Side
from validation.gates.facts.log_facts import LogFacts
from validation.gates.rules.rule import FactRule, RowRule, Rule, Severity
from validation.gates.rules.thresholds import HINTED_SHARE, LITTLE_OVERLAP, MAX_SESSION_USERS, MIN_HINTED, MIN_IDS

NO_IDS = ("nan", "none", "null", "<na>", "nat", "undefined")  # what a missing id becomes as text
WRITE_ALIKE = "Write the ids of all tables in the same way, as text: a column of numbers with gaps becomes '34.0'"
NOUNS = {"user_id": "users", "session_id": "sessions", "item_id": "items"}
# Where no id is shared although both tables have many: sessions may be made anew for each table.
MAY_DIFFER = {("session_id", "impressions", "events"), ("item_id", "impressions", "events")}


def id_rules() -> Iterable[Rule]:
    for pair in PAIRS:
        yield _match(*pair)
        if pair[2] == "events":  # an item that is not in the catalog has a rule of its own
            yield _little(*pair)
    for table in ("events", "impressions"):
        for column in ("user_id", "session_id"):
            yield _no_id(table, column)
    yield _shared_session()


def _match(column: str, left: str, right: str) -> FactRule:
    return FactRule(
        table=left,
        column=column,
        text=f"written as in {right}",
        needs=(right,),
        problem=partial(_mismatch, pair=(column, left, right)),
        advice=f"{WRITE_ALIKE}.",
    )


def _little(column: str, left: str, right: str) -> FactRule:
    return FactRule(
        table=left,
        column=column,
        text=f"at least {LITTLE_OVERLAP:.0%} of its {NOUNS[column]} have events",
        severity=Severity.WARNING,
        needs=(right,),
        problem=partial(_little_overlap, pair=(column, left, right)),
        advice=f"What is not in {right} has no history, and the model learns nothing from it. Check that both tables "
        "are of the same people and weeks, and that ids are written alike.",
    )


def _no_id(table: str, column: str) -> RowRule:
    texts = ", ".join(f"'{text}'" for text in NO_IDS)
    return RowRule(
        table=table,
        column=column,
        text=f"an id, not the text of a missing one ({', '.join(NO_IDS)})",
        severity=Severity.WARNING,
        breaks=f'lower(trim("{column}")) IN ({texts})',
        shows=(column, "item_id"),
        advice=f"All rows with this text count as one {NOUNS[column][:-1]}. Leave such rows out, or give each its own "
        "id, for example one made from its session.",
    )


def _shared_session() -> FactRule:
    return FactRule(
        table="events",
        column="session_id",
        text=f"of at most {MAX_SESSION_USERS} users",
        severity=Severity.WARNING,
        needs=("impressions",),
        problem=_crowded,
        advice="Features of a session would mix what its users did. Join the session id with the user id, or cut "
        "sessions anew at gaps in time.",
    )


def _crowded(facts: LogFacts) -> str | None:
    found = facts.sessions
    crowded = found.of_more_than(MAX_SESSION_USERS)
    if not crowded:
        return None
    return f"{crowded:,} of {found.sessions:,} sessions; '{found.most}' has {max(found.by_users):,} users"


def _mismatch(facts: LogFacts, pair: tuple[str, str, str]) -> str | None:
    """The same ids are written in two ways: no id, or hardly any, is shared, and that is no chance."""
    found = facts.overlap(*pair)
    if not found.known or found.shared == found.left.ids:
        return None
    return overlap_text(found) if _is_hinted(found) or _is_disjoint(found, pair) else None


def _is_hinted(found: Overlap) -> bool:
    """Whether a simple change explains most of what does not match, where little does."""
    return (
        found.hint is not None
        and found.hint.form.sure
        and found.hint.matched >= max(MIN_HINTED, HINTED_SHARE * found.left.ids)
        and found.share(found.left) < LITTLE_OVERLAP
    )


def _is_disjoint(found: Overlap, pair: tuple[str, str, str]) -> bool:
    return pair not in MAY_DIFFER and found.shared == 0 and min(found.left.ids, found.right.ids) >= MIN_IDS


def _little_overlap(facts: LogFacts, pair: tuple[str, str, str]) -> str | None:
    found = facts.overlap(*pair)
    if min(found.left.ids, found.right.ids) < MIN_IDS or found.share(found.left) >= LITTLE_OVERLAP:
        return None
    return None if _mismatch(facts, pair) else overlap_text(found)


def overlap_text(found: Overlap) -> str:
    """The overlap in numbers, what does not match, and the hint."""
    left, right = found.left, found.right
    parts = [
        f"{found.shared:,} of {left.ids:,} {NOUNS[found.column]} of {left.table} ({found.share(left):.1%}) are among "
        f"the {right.ids:,} of {right.table}"
    ]
    parts += [f"only in {side.table}: {_quoted(side)}" for side in (left, right) if side.unmatched]
    parts += [str(found.hint)] if found.hint else []
    return "; ".join(parts)


def _quoted(side: Side) -> str:
    return ", ".join(f"'{each[:40]}'" for each in side.unmatched)
