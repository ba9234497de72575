"""Whether a column of the lists was made after the list was shown: it must not be a feature.

Such a column has a value where the user did something and none elsewhere, or ranks the positives first on its own.
"""

from __future__ import annotations

from feature_repo.datasets.files.reading.sql_text import literal, quoted
from feature_repo.init import words as w
from feature_repo.init.guess.columns.extras import YES
from feature_repo.init.guess.queries import Sampled
from feature_repo.init.guess.roles import View
from feature_repo.init.profile.column import Column, Kind
from feature_repo.init.thresholds import LEAK_AUC, LEAK_PRECISION, LEAK_ROWS, SUSPICIOUS_AUC


def leak_of(sampled: Sampled, view: View, column: Column, positive: str) -> str | None:
    """The reason why the column is no fact, or None. ``positive``: SQL of whether the row is a positive."""
    if w.speaks_of(column.name, w.POLICY):
        return "the chance with which the policy showed it: not known when a list is scored, and no cause of a click"
    auc, precision, rows = sampled.ranking(view.table.sample, number_of(column), positive)
    strength = max(auc, 1 - auc)
    if rows >= LEAK_ROWS and precision >= LEAK_PRECISION and strength > 0.5:
        return f"LEAK: {precision:.0%} of the rows that have it are positives: it is known only after the outcome"
    if strength >= LEAK_AUC:
        return f"LEAK: ranks positives first by itself (AUC {strength:.3f}): it follows the outcome"
    if strength >= SUSPICIOUS_AUC and w.speaks_of(column.name, w.AFTERWARDS):
        return f"LEAK: its name speaks of what happens afterwards, and it ranks positives first (AUC {strength:.2f})"
    return None


def number_of(column: Column) -> str:
    """SQL of the column as a number; of a text whether it has a value."""
    if column.kind is Kind.FLAG:
        return f"(lower({quoted(column.name)}) IN ({', '.join(map(literal, YES))}))::INT"
    if column.is_numeric:
        return f"TRY_CAST({quoted(column.name)} AS DOUBLE)"
    return f"({quoted(column.name)} IS NOT NULL)::INT"
