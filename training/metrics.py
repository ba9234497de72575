"""Ranking metrics, one value per slate, ties counted against the ranker.

Among candidates of equal score the one with the smaller label is taken to stand first, so that a ranker
that scores everything alike gets what the worst order would. NaN scores stand last. NDCG, MRR and MAP are
NaN for a slate without a positive; recall@25 divides by everything the user wanted, in the slate or not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

NDCG_AT = (5, 10, 25)
METRICS = (*(f"ndcg@{k}" for k in NDCG_AT), "mrr", "map@10", "recall@25")


class BadGroups(ValueError):
    """Group sizes that are not positive or do not sum to the number of rows."""


@dataclass(frozen=True)
class Judged:
    """What happened to the candidates of many slates.

    labels:         (n,) int, 0 is nothing
    sizes:          (g,) int, rows per slate, sums to n
    relevant_total: (g,) int, items the user wanted, in the slate or not
    """

    labels: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    relevant_total: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        if (self.sizes <= 0).any() or self.sizes.sum() != len(self.labels):
            raise BadGroups(f"sizes must be positive and sum to {len(self.labels)} rows, not {self.sizes.sum()}")
        if len(self.relevant_total) != len(self.sizes):
            raise BadGroups(f"relevant_total has {len(self.relevant_total)} values for {len(self.sizes)} slates")


def evaluate(scores: Values, judged: Judged) -> dict[str, Values]:
    """Every metric of METRICS, each (g,) float64."""
    if len(scores) != len(judged.labels):
        raise BadGroups(f"{len(scores)} scores for {len(judged.labels)} rows")
    group = np.repeat(np.arange(len(judged.sizes)), judged.sizes)
    starts = np.cumsum(judged.sizes) - judged.sizes
    position = np.arange(len(group)) - starts[group]
    key = np.where(np.isnan(scores), -np.inf, scores)
    labels = judged.labels[np.lexsort((judged.labels, -key, group))]
    ideal = judged.labels[np.lexsort((-judged.labels, group))]
    positives = np.add.reduceat(labels > 0, starts)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {f"ndcg@{k}": _dcg(labels, position, starts, k) / _dcg(ideal, position, starts, k) for k in NDCG_AT}
        found["mrr"] = np.where(positives > 0, np.maximum.reduceat((labels > 0) / (position + 1.0), starts), np.nan)
        found["map@10"] = _average_precision(labels, position, starts, positives, 10)
        top = np.add.reduceat((labels > 0) & (position < 25), starts)
        found["recall@25"] = np.where(judged.relevant_total > 0, top / judged.relevant_total, np.nan)
    return found


def _dcg(
    labels: npt.NDArray[np.int64], position: npt.NDArray[np.int64], starts: npt.NDArray[np.int64], k: int
) -> Values:
    """Sum of (2^label - 1) / log2(position + 2) over the first k. Burges et al. 2005."""
    gain = np.where(position < k, (2.0**labels - 1) / np.log2(position + 2.0), 0.0)
    return np.asarray(np.add.reduceat(gain, starts), dtype=np.float64)


def _average_precision(
    labels: npt.NDArray[np.int64],
    position: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    positives: npt.NDArray[np.int64],
    k: int,
) -> Values:
    """Mean over min(positives, k) of the precision at each positive among the first k."""
    relevant = (labels > 0).astype(np.float64)
    running = np.cumsum(relevant)
    before = (running - relevant)[starts]
    seen = running - np.repeat(before, np.diff(np.append(starts, len(labels))))
    precision = np.where((relevant > 0) & (position < k), seen / (position + 1.0), 0.0)
    return np.asarray(np.add.reduceat(precision, starts) / np.minimum(positives, k), dtype=np.float64)
