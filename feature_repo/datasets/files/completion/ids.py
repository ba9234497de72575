"""Ids of slates and events that have none, made from what the rows say."""

from __future__ import annotations

from collections.abc import Sequence

from feature_repo.datasets.errors import BadSource
from feature_repo.datasets.files.completion.given import missing
from feature_repo.datasets.files.staging import Staging
from feature_repo.schema import Table
from infra.limits import MAX_TEXT_LENGTH

_DIGITS = 20  # of a hash: 80 bits
_APART = "chr(31)"  # between the values: no file holds it


def short(text: str) -> str:
    """SQL of an id that is within the limit: a hash where ``text`` is not."""
    return f"CASE WHEN length({text}) > {MAX_TEXT_LENGTH} THEN md5({text}) ELSE {text} END"


def _hash(columns: Sequence[str]) -> str:
    values = ", ".join(f"""coalesce("{name}"::VARCHAR, chr(30))""" for name in columns)
    return f"left(md5(concat_ws({_APART}, {values})), {_DIGITS})"


def make_slate_ids(staging: Staging) -> list[BadSource]:
    """The rows of one user, session and time are one slate. Returns a fault where a row has none of the three."""
    nothing = "slate_id IS NULL AND user_id IS NULL AND session_id IS NULL AND shown_ts IS NULL"
    staging.view("without_slate", f"SELECT * FROM given_impressions WHERE {nothing}")
    faults = missing(staging, "without_slate", "slate_id", "map slate_id, or user_id, session_id or shown_ts")
    unknown = staging.row(
        "SELECT count(DISTINCT (user_id, session_id, shown_ts)) FROM given_impressions WHERE slate_id IS NULL"
    )
    if unknown[0] and not faults:
        made = f"'slate-' || {_hash(('user_id', 'session_id', 'shown_ts'))}"
        staging.save(
            "given_impressions", f"SELECT * REPLACE (coalesce(slate_id, {made}) AS slate_id) FROM given_impressions"
        )
        staging.note(
            "impressions", "slates given an id", unknown[0], "the rows of one user, session and time are one list"
        )
    return faults


def make_event_ids(staging: Staging, events: Table, given: set[str]) -> None:
    """Hashes of the rows, so that the same rows get the same ids again; of equal rows the second has -2, and so on."""
    without = staging.count("given_events", "event_id IS NULL")
    if not without:
        return
    named = [column.name for column in events.columns if column.name in given - {"event_id"}]
    named += [name for name in ("event_ts",) if name not in named]
    repeated = "row_number() OVER (PARTITION BY event_id IS NULL, made)"
    staging.save(
        "given_events",
        f"""
        SELECT * EXCLUDE (made, repetition) REPLACE (
            coalesce(event_id, CASE WHEN repetition = 1 THEN made ELSE made || '-' || repetition END) AS event_id
        ) FROM (SELECT *, {repeated} AS repetition FROM (SELECT *, {_hash(named)} AS made FROM given_events))
        """,
    )
    repeats = staging.count("given_events", r"regexp_matches(event_id, '^[0-9a-f]{20}-[0-9]+$')")
    staging.note(
        "events", "rows kept that repeat another one", repeats, "they have no id of their own, so both may be true"
    )
