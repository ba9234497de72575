"""Outcomes that stand before the slate they should follow: a model would learn its label from its features.

A touch of the item before the slate is normal: a view before an order, or an order on an earlier day. The outcome
itself is not. Which action is the outcome of a label is not declared, so it is the strongest action that nearly all
positives of this label have, near the slate. An outcome is early if the user or the session has it within BEFORE of
the slate and not at the slate or within AFTER of it. Mistaken time zones are the usual cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import duckdb

ACTIONS = ("view", "like", "add_to_cart", "order")  # the strongest last
BEFORE, AFTER = timedelta(hours=24), timedelta(hours=12)
OWN_SHARE = 0.9  # of a label's positives: an action that fewer have is not its outcome
MAX_SHARE, MIN_COUNT = 0.1, 5  # early outcomes up to one of the two may have other reasons

_STRENGTH = " ".join(f"WHEN '{action}' THEN {rank}" for rank, action in enumerate(ACTIONS))
_LISTED = ", ".join(f"'{action}'" for action in ACTIONS)


def _pairs(owner: str) -> str:
    return f"""
        SELECT p.slate_id, p.item_id, p.shown_ts, p.label, e.action, e.event_ts
        FROM impressions p JOIN events e ON e.item_id = p.item_id AND e.{owner} = p.{owner}
        WHERE p.label > 0 AND p.{owner} <> '' AND e.action IN ({_LISTED})
            AND e.event_ts BETWEEN p.shown_ts - INTERVAL {BEFORE.total_seconds():.0f} SECOND
                AND p.shown_ts + INTERVAL {AFTER.total_seconds():.0f} SECOND
    """


# One row per positive that has its label's own action: slate_id, item_id, label, action, event_ts (the latest before
# the slate), shown_ts and early. It reads the views ``events`` and ``impressions``.
OUTCOMES = f"""
    WITH pairs AS ({_pairs("user_id")} UNION ALL {_pairs("session_id")}), found AS (
        SELECT slate_id, item_id, shown_ts, label, action,
            max(event_ts) FILTER (event_ts < shown_ts) AS event_ts, NOT bool_or(event_ts >= shown_ts) AS early
        FROM pairs GROUP BY ALL
    ), positives AS (
        SELECT label, count(*) AS rows FROM impressions WHERE label > 0 GROUP BY label
    ), own AS (
        SELECT label, arg_max(action, CASE action {_STRENGTH} END) AS action
        FROM (SELECT label, action, count(*) AS having_it FROM found GROUP BY ALL) JOIN positives USING (label)
        WHERE having_it >= {OWN_SHARE} * rows GROUP BY label
    )
    SELECT found.* FROM found JOIN own USING (label, action)
"""


@dataclass(frozen=True)
class EarlyOutcomes:
    """``outcomes``: positives that have their label's own action; ``early``: those that have it before the slate."""

    outcomes: int
    early: int

    @property
    def too_many(self) -> bool:
        return self.early > max(MAX_SHARE * self.outcomes, MIN_COUNT - 1)

    def __str__(self) -> str:
        share = self.early / self.outcomes if self.outcomes else 0.0
        return (
            f"{self.early:,} of {self.outcomes:,} positives ({share:.0%}) have their outcome before their slate and "
            "none at or after it"
        )


def early_outcomes(connection: duckdb.DuckDBPyConnection) -> EarlyOutcomes:
    """Reads the views ``events`` and ``impressions``."""
    row = connection.execute(f"SELECT count(*), count(*) FILTER (early) FROM ({OUTCOMES})").fetchall()[0]
    return EarlyOutcomes(int(row[0]), int(row[1]))
