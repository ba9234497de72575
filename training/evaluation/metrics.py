"""Ranking metrics, one value per slate, for many slates at once.

The order is by score, and ties count AGAINST the scorer: of equal scores the lower label comes first, and
NaN scores come last, tied among themselves. With rel_i the label at place i (from 1) and P positives
(label > 0) in the slate:

    ndcg@k     sum_{i<=k} (2^rel_i - 1) / log2(i + 1), over the same sum in the best order    Burges 2010
    mrr        1 / place of the first positive
    map@10     sum_{i<=10} [rel_i > 0] precision(i) / min(P, 10)
    recall@25  positives among the first 25 / relevant_total

The first three are NaN where P = 0, recall where relevant_total = 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from infra.models.ranker import Doubles, Integers, group_starts

METRICS = ("ndcg@5", "ndcg@10", "ndcg@25", "mrr", "map@10", "recall@25")
NDCG_DEPTHS = (5, 10, 25)
MAP_DEPTH = 10
RECALL_DEPTH = 25
MAX_LABEL = 30


class BadSlates(ValueError):
    """Scores, labels and slates that do not fit together."""


@dataclass(frozen=True)
class ScoredSlates:
    """Slates one after another, with the scores of one ranker.

    scores:         (n,) float64, higher first, NaN last
    labels:         (n,) integer gains, 0 to 30; above 0 is a positive
    sizes:          (g,) rows of each slate, positive, summing to n
    relevant_total: (g,) items the user wanted, in the slate or not; at least the slate's positives

    Raises BadSlates, and BadGroups (``infra.models.ranker``) for sizes that do not cut the rows.
    """

    scores: Doubles
    labels: npt.NDArray[Any]
    sizes: npt.NDArray[Any]
    relevant_total: npt.NDArray[Any]

    def __post_init__(self) -> None:
        for field in fields(self):
            if np.ndim(getattr(self, field.name)) != 1:
                raise BadSlates(f"{field.name} must have one dimension, not {np.ndim(getattr(self, field.name))}")
        if len(self.scores) != len(self.labels):
            raise BadSlates(f"{len(self.scores)} scores, but {len(self.labels)} labels")
        starts = group_starts(self.sizes, len(self.scores))
        self._check_labels()
        self._check_totals(np.add.reduceat((self.labels > 0).astype(np.int64), starts))

    def _check_labels(self) -> None:
        if not np.issubdtype(self.labels.dtype, np.integer):
            raise BadSlates(f"labels must be integers, not {self.labels.dtype}")
        bad = (self.labels < 0) | (self.labels > MAX_LABEL)
        if bad.any():
            row = int(np.argmax(bad))
            raise BadSlates(f"row {row} has label {self.labels[row]}, outside 0 to {MAX_LABEL}")

    def _check_totals(self, positives: Integers) -> None:
        if len(self.relevant_total) != len(self.sizes):
            raise BadSlates(f"{len(self.relevant_total)} values of relevant_total, but {len(self.sizes)} slates")
        short = ~(self.relevant_total >= positives)  # so written, NaN is short too
        if short.any():
            slate = int(np.argmax(short))
            raise BadSlates(
                f"slate {slate} holds {positives[slate]} positives, but relevant_total is {self.relevant_total[slate]}"
            )


@dataclass(frozen=True)
class SlateMetrics:
    """``values``: metric name -> (g,) float64, NaN where undefined. ``without_positive`` counts such slates."""

    values: Mapping[str, Doubles]
    without_positive: int


def slate_metrics(slates: ScoredSlates) -> SlateMetrics:
    """All of METRICS for every slate."""
    starts = group_starts(slates.sizes, len(slates.labels))
    position = np.arange(len(slates.labels)) - np.repeat(starts, slates.sizes)  # (n,) from 0, within the slate
    labels = slates.labels[_scored_order(slates)].astype(np.int64)
    ideal = slates.labels[np.lexsort((-slates.labels.astype(np.int64), _groups(slates.sizes)))].astype(np.int64)
    hits = labels > 0
    positives = np.add.reduceat(hits.astype(np.int64), starts)
    values = {
        **{
            f"ndcg@{k}": _dcg(labels, position, starts, k) / _positive(_dcg(ideal, position, starts, k))
            for k in NDCG_DEPTHS
        },
        "mrr": _reciprocal_rank(hits, position, starts, positives),
        f"map@{MAP_DEPTH}": _average_precision(hits, position, starts) / _positive(np.minimum(positives, MAP_DEPTH)),
        f"recall@{RECALL_DEPTH}": np.add.reduceat((hits & (position < RECALL_DEPTH)).astype(np.float64), starts)
        / _positive(slates.relevant_total),
    }
    return SlateMetrics(values, int((positives == 0).sum()))


def _groups(sizes: npt.NDArray[Any]) -> Integers:
    return np.repeat(np.arange(len(sizes)), sizes)


def _scored_order(slates: ScoredSlates) -> npt.NDArray[np.intp]:
    unknown = np.isnan(slates.scores)
    descending = np.where(unknown, 0.0, -slates.scores)
    return np.lexsort((slates.labels, descending, unknown, _groups(slates.sizes)))


def _dcg(labels: Integers, position: Integers, starts: Integers, depth: int) -> Doubles:
    gain = np.where(position < depth, (2.0**labels - 1.0) / np.log2(position + 2.0), 0.0)
    return np.add.reduceat(gain, starts)


def _reciprocal_rank(hits: npt.NDArray[np.bool_], position: Integers, starts: Integers, positives: Integers) -> Doubles:
    first = np.minimum.reduceat(np.where(hits, position + 1.0, np.inf), starts)
    return np.where(positives > 0, 1.0 / first, np.nan)


def _average_precision(hits: npt.NDArray[np.bool_], position: Integers, starts: Integers) -> Doubles:
    """Sum of the precisions at the hits of the first MAP_DEPTH places, (g,)."""
    so_far: Integers = np.cumsum(hits, dtype=np.int64)
    before: Integers = so_far[starts] - hits[starts]  # hits of all earlier slates
    within: Integers = so_far - before[np.cumsum(position == 0) - 1]
    return np.add.reduceat(np.where(hits & (position < MAP_DEPTH), within / (position + 1.0), 0.0), starts)


def _positive(denominator: npt.NDArray[Any]) -> Doubles:
    """NaN in the place of 0, so that the quotient is undefined without a warning."""
    return np.where(denominator > 0, denominator.astype(np.float64), np.nan)
