"""The buyer model against recency and frequency, on windows that it does not know."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from infra.models.arrays import Doubles, Floats
from training.buyers.buyer_features import FEATURE_NAMES
from training.buyers.buyer_metrics import area_under_curve, average_precision, recall_among_first
from training.buyers.calibration import calibration_table
from training.buyers.windows import UserSet

MODEL = "model"


def recency(matrix: Floats) -> Doubles:
    """(q,) the latest order first; users without an order last."""
    return -_column(matrix, "order_age_days")


def frequency(matrix: Floats) -> Doubles:
    """(q,) most orders so far first, equal ones by recency."""
    return _then(_column(matrix, "user_orders_all"), recency(matrix))


def frequency_28d(matrix: Floats) -> Doubles:
    """(q,) most orders of the last 28 days first, equal ones by recency."""
    return _then(_column(matrix, "user_orders_28d"), recency(matrix))


BASELINES: Mapping[str, Callable[[Floats], Doubles]] = {
    "recency": recency,
    "frequency": frequency,
    "frequency_28d": frequency_28d,
}


@dataclass(frozen=True)
class BuyerEvaluation:
    """``starts``: of the windows. ``rows``: ranker -> metric -> mean over the windows. ``calibration``: of all users of
    all windows together, see :func:`training.buyers.calibration.calibration_table`.
    """

    starts: tuple[datetime, ...]
    users: int
    buyers: int
    rows: Mapping[str, Mapping[str, float]]
    calibration: Sequence[Mapping[str, float]]

    def to_json(self) -> dict[str, Any]:
        return {
            "starts": [start.isoformat() for start in self.starts],
            "users": self.users,
            "buyers": self.buyers,
            "rows": {name: dict(row) for name, row in self.rows.items()},
            "calibration": [dict(row) for row in self.calibration],
        }

    def table(self) -> str:
        """Markdown."""
        metrics = list(self.rows[MODEL])
        lines = [f"| users sorted by | {' | '.join(metrics)} |", f"|---|{'---|' * len(metrics)}"]
        lines += [f"| {name} | {' | '.join(f'{row[m]:.4f}' for m in metrics)} |" for name, row in self.rows.items()]
        return "\n".join(lines)


def evaluate_buyers(windows: Mapping[datetime, tuple[UserSet, Doubles]], firsts: Sequence[int]) -> BuyerEvaluation:
    """``windows``: start -> labelled users and their (q,) probabilities, by a model that knows nothing after the start.

    ``firsts``: the N of recall among the first N.
    """
    scores = [
        {MODEL: probabilities, **{name: score(users.matrix) for name, score in BASELINES.items()}}
        for users, probabilities in windows.values()
    ]
    measured = [
        {name: _metrics(found, users, firsts) for name, found in each.items()}
        for each, (users, _) in zip(scores, windows.values(), strict=True)
    ]
    rows = {
        name: {metric: _mean([each[name][metric] for each in measured]) for metric in measured[0][name]}
        for name in scores[0]
    }
    labels = np.concatenate([users.labels for users, _ in windows.values()])
    probabilities = np.concatenate([found for _, found in windows.values()])
    return BuyerEvaluation(
        tuple(windows), len(labels), int(labels.sum()), rows, calibration_table(probabilities, labels)
    )


def _metrics(scores: Doubles, users: UserSet, firsts: Sequence[int]) -> dict[str, float]:
    return {
        "auc": area_under_curve(scores, users.labels),
        "average_precision": average_precision(scores, users.labels),
        **{f"recall_among_first_{n}": recall_among_first(scores, users.labels, n) for n in firsts},
    }


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _column(matrix: Floats, name: str) -> Doubles:
    return matrix[:, FEATURE_NAMES.index(name)].astype(np.float64)


def _then(first: Doubles, second: Doubles) -> Doubles:
    """(q,) ranks by ``first``, equal ones by ``second``; NaN is lowest, and what is equal in both is equal."""
    lowest = [np.where(np.isnan(values), -np.inf, values) for values in (second, first)]
    order = np.lexsort(lowest)
    differs = np.zeros(len(first), bool)
    for values in lowest:
        differs[1:] |= values[order][1:] != values[order][:-1]
    ranks = np.empty(len(first))
    ranks[order] = np.cumsum(differs)
    return ranks
