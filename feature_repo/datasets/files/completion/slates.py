"""Slates: candidates once, positions that order them, and labels, also where the files have none.

Labels that are not given are made of the events on the item, of the slate's session or user, within LABEL_HOURS from
the slate on: the highest gain of what was done.
"""

from __future__ import annotations

from feature_repo.datasets.errors import BadSource
from feature_repo.datasets.files.completion.given import missing
from feature_repo.datasets.files.staging import Staging
from feature_repo.schema import Table

SEED = 20240101
LABEL_HOURS = 24
GAINS = {"view": 1, "like": 2, "add_to_cart": 2, "order": 3}
_EXAMPLE = "'slate ' || slate_id || ', item ' || item_id"


def slate_faults(staging: Staging) -> list[BadSource]:
    """What a candidate needs and nothing can make."""
    return [
        *missing(
            staging, "given_impressions", "shown_ts", "map it, or write times: made where the files have no times"
        ),
        *missing(staging, "given_impressions", "item_id", "map it, or leave the row out by where"),
    ]


def complete_slates(staging: Staging, impressions: Table, given: set[str]) -> None:
    """Fill label, input_position and relevant_total of ``given_impressions``."""
    if "label" in given:
        _blank_labels(staging)
    else:
        _labels_of_events(staging)
    _candidates_once(staging, impressions)
    _positions(staging)
    total = "coalesce(relevant_total, count(*) FILTER (label > 0) OVER (PARTITION BY slate_id))"
    staging.save("given_impressions", f"SELECT * REPLACE ({total} AS relevant_total) FROM given_impressions")


def _blank_labels(staging: Staging) -> None:
    staging.note_where(
        "impressions", "given_impressions", "label IS NULL", _EXAMPLE, "labels taken as 0", "they are blank"
    )
    staging.save("given_impressions", "SELECT * REPLACE (coalesce(label, 0) AS label) FROM given_impressions")


def _labels_of_events(staging: Staging) -> None:
    cases = " ".join(f"WHEN '{action}' THEN {gain}" for action, gain in GAINS.items())
    pairs = " UNION ALL ".join(
        f"""
        SELECT p.slate_id, p.item_id, CASE e.action {cases} ELSE 0 END AS gain
        FROM given_impressions p JOIN given_events e ON e.item_id = p.item_id AND e.{owner} = p.{owner}
            AND e.event_ts >= p.shown_ts AND e.event_ts < p.shown_ts + INTERVAL {LABEL_HOURS} HOUR
        """
        for owner in ("session_id", "user_id")
    )
    staging.save("gains", f"SELECT slate_id, item_id, max(gain) AS gain FROM ({pairs}) GROUP BY slate_id, item_id")
    staging.save(
        "given_impressions",
        """
        SELECT p.* REPLACE (coalesce(gain, 0) AS label)
        FROM given_impressions p LEFT JOIN gains USING (slate_id, item_id)
        """,
    )
    positives = staging.count("given_impressions", "label > 0")
    gains = ", ".join(f"{action} {gain}" for action, gain in GAINS.items())
    why = f"none are given: the highest of {gains} in the {LABEL_HOURS} hours from the slate on"
    staging.note("impressions", "positive labels made of events", positives, why)


def _candidates_once(staging: Staging, impressions: Table) -> None:
    """Of equal positions, the values decide which row is kept, so that the order of the files does not matter."""
    again = (
        "row_number() OVER (PARTITION BY slate_id, item_id ORDER BY input_position, shown_position, label DESC, ALL)"
    )
    values = ", ".join(
        f'"{c.name}"' for c in impressions.columns if c.name not in ("slate_id", "item_id", "input_position", "label")
    )
    again = again.replace("ALL", values)
    best = "max(label) OVER (PARTITION BY slate_id, item_id)"
    staging.save("numbered_candidates", f"SELECT * REPLACE ({best} AS label), {again} AS number FROM given_impressions")
    staging.note_where(
        "impressions", "numbered_candidates", "number > 1", _EXAMPLE, "rows merged",
        "the candidate is in the slate already: the first position and the highest label stay",
    )  # fmt: skip
    staging.save("given_impressions", "SELECT * EXCLUDE (number) FROM numbered_candidates WHERE number = 1")


def _positions(staging: Staging) -> None:
    """As given, unless a slate lacks some or has one twice. Without any, those on the screen, else a seeded shuffle."""
    shuffled = f"md5('{SEED}:' || slate_id || ':' || item_id), item_id"
    staging.save(
        "positioned",
        """
        SELECT slate_id, count(input_position) AS given, count(*) AS candidates,
            count(DISTINCT input_position) AS positions, count(shown_position) AS shown
        FROM given_impressions GROUP BY slate_id
        """,
    )
    renumbered = (
        "row_number() OVER (PARTITION BY slate_id ORDER BY input_position NULLS LAST, shown_position NULLS LAST, "
        f"{shuffled}) - 1"
    )
    kept = f"CASE WHEN positions = candidates THEN input_position ELSE {renumbered} END"
    columns = f"* EXCLUDE (given, candidates, positions, shown) REPLACE ({kept} AS input_position)"
    staging.save("given_impressions", f"SELECT {columns} FROM given_impressions JOIN positioned USING (slate_id)")
    for where, what, why in (
        ("given > 0 AND positions < candidates", "slates numbered again", "some positions are missing or occur twice"),
        ("given = 0 AND shown > 0", "slates ordered by shown_position", "they have no input_position"),
        ("given = 0 AND shown = 0", "slates in a seeded random order", "they have no position"),
    ):
        staging.note_where("impressions", "positioned", where, "slate_id", what, why)
