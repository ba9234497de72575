"""Rules that compare events with slates: what the label says must not be known when the slate is made.

A failed rule is a warning: the pipeline goes on, and training reads the same numbers and promotes nothing.
"""

from __future__ import annotations

from feature_repo.early_outcomes import EARLY, MAX_SHARE
from validation.gates.rules.rule import QueryRule, Rule, Severity, shown


def leakage_rules() -> list[Rule]:
    return [
        QueryRule(
            table="impressions",
            column="label",
            text=f"its outcome is not before the slate (at least {1 - MAX_SHARE:.0%} of positives with an outcome)",
            severity=Severity.WARNING,
            needs=("events",),
            query=f"SELECT {shown('slate_id', 'item_id', 'label', 'action', 'event_ts', 'shown_ts')} AS example "
            f"FROM ({EARLY})",
        )
    ]
