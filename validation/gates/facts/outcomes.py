"""Of each label: the action that follows it, and how often that action stands before the slate instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from feature_repo.times.early_outcomes import OUTCOMES, EarlyOutcomes


@dataclass(frozen=True)
class LabelOutcomes:
    """``action``: the label's own; None if its positives have no action in common. See
    :mod:`feature_repo.times.early_outcomes`.

    found: positives that have the action; ``early``: before the slate, and none at or after it
    """

    label: int
    positives: int
    action: str | None
    found: int
    early: int


@dataclass(frozen=True)
class OutcomeFacts:
    """``example``: an early outcome as text, the first in the order of slates; None without one."""

    labels: Sequence[LabelOutcomes]
    example: str | None

    @property
    def early(self) -> EarlyOutcomes:
        """Of all labels together, as training judges them."""
        return EarlyOutcomes(sum(each.found for each in self.labels), sum(each.early for each in self.labels))


def outcome_facts(connection: duckdb.DuckDBPyConnection) -> OutcomeFacts:
    connection.execute(f"CREATE OR REPLACE TEMP TABLE outcomes AS {OUTCOMES}")
    rows = connection.execute(
        """
        WITH positives AS (
            SELECT label, count(*) AS positives FROM impressions WHERE label > 0 GROUP BY label
        ), found AS (
            SELECT label, action, count(*) AS found, count(*) FILTER (early) AS early FROM outcomes GROUP BY ALL
        )
        SELECT label, positives, action, coalesce(found, 0), coalesce(early, 0)
        FROM positives LEFT JOIN found USING (label) ORDER BY label
        """
    ).fetchall()
    example = connection.execute(
        """
        SELECT format('slate_id = {}, item_id = {}, label = {}, {} at {}, shown at {}',
            slate_id, item_id, label, action, event_ts::VARCHAR, shown_ts::VARCHAR)
        FROM outcomes WHERE early ORDER BY slate_id, item_id LIMIT 1
        """
    ).fetchall()
    return OutcomeFacts([LabelOutcomes(*row) for row in rows], example[0][0] if example else None)
