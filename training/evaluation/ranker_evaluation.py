"""Evaluation of rankers on the same slates: metrics, intervals, slices, calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from infra.models.ranker import Ranker, score_groups
from training.evaluation.bootstrap import CONFIDENCE, Interval, mean_interval, paired_difference
from training.evaluation.metrics import ScoredSlates, slate_metrics
from training.evaluation.platt_scaling import PlattScaling
from training.training_set.click_through import NAME as CLICK_THROUGH
from training.training_set.ranking_data import RankingData

Values = npt.NDArray[np.float64]
DECIDING = "ndcg@10"
USER_ORDERS = ((0, 1), (1, 10), (10, 50), (50, 150), (150, np.inf))
ITEM_ORDERS = ((0, 1), (1, 5), (5, 20), (20, 100), (100, np.inf))
CALIBRATION_BINS = 10


@dataclass(frozen=True)
class Evaluation:
    """Metrics of all rankers on the same slates. ``per_slate``: ranker -> metric -> (g,).

    ``clusters``: (g,) of the slates that are not independent of each other; None: all are. ``deciding``: the metric
    that rankers are compared by.
    """

    per_slate: dict[str, dict[str, Values]]
    seed: int
    resamples: int
    clusters: npt.NDArray[np.int64] | None = None
    deciding: str = DECIDING

    @property
    def users(self) -> int:
        """Clusters of the slates that the deciding metric judges."""
        judged = ~np.isnan(next(iter(self.per_slate.values()))[self.deciding])
        return int(judged.sum()) if self.clusters is None else len(np.unique(self.clusters[judged]))

    def intervals(self) -> dict[str, dict[str, dict[str, Any]]]:
        return {
            name: {metric: asdict(self._interval(values)) for metric, values in metrics.items()}
            for name, metrics in self.per_slate.items()
        }

    def mean(self, name: str) -> float:
        """Of the deciding metric; NaN if no slate has a positive."""
        values = self.per_slate[name][self.deciding]
        return float("nan") if np.isnan(values).all() else float(np.nanmean(values))

    def difference(self, first: str, second: str, confidence: float = CONFIDENCE) -> Interval:
        """Paired difference first - second of the deciding metric."""
        ours, theirs = (self.per_slate[name][self.deciding] for name in (first, second))
        return paired_difference(ours, theirs, self.seed, self.resamples, self.clusters, confidence)

    def _interval(self, values: Values) -> Interval:
        return mean_interval(values, self.seed, self.resamples, self.clusters)


def evaluate(
    rankers: Mapping[str, Ranker],
    data: RankingData,
    *,
    seed: int,
    resamples: int,
    threads: int = 1,
    deciding: str = DECIDING,
    others: Mapping[str, RankingData] | None = None,
) -> Evaluation:
    """Evaluate rankers that read ``data.feature_names``, and the baseline that reads ``data.click_through``, if known.

    Slates of one candidate are not judged. ``others``: the same rows for rankers of another vocabulary, by name.
    Raises ValueError for such a ranker without them.
    """
    data, per_slate = data.judged(), {}
    for name, ranker in rankers.items():
        read = others[name].judged() if others and name in others else data
        if ranker.kind == "lightgbm" and ranker.vocabulary.texts != read.vocabulary.texts:
            raise ValueError(f"the codes of the categories are not those of the ranker {name!r}")
        scores = score_groups(ranker, read.matrix, data.sizes, threads)
        per_slate[name] = dict(slate_metrics(scored_slates(data, scores)).values)
    if data.click_through is not None:
        per_slate[CLICK_THROUGH] = dict(slate_metrics(scored_slates(data, data.click_through)).values)
    return Evaluation(per_slate, seed, resamples, data.clusters, deciding)


def scored_slates(data: RankingData, scores: Values) -> ScoredSlates:
    """The slates of ``data`` with the scores of one ranker."""
    return ScoredSlates(scores, data.labels, data.sizes, data.relevant_total)


def coverage(data: RankingData) -> float:
    """Share of the items that the users wanted that are in their slates."""
    return float((data.labels > 0).sum() / data.relevant_total.sum())


def without_positive(data: RankingData) -> int:
    return int((np.add.reduceat(data.labels > 0, data.starts) == 0).sum())


def one_item(data: RankingData) -> int:
    """Slates of one candidate, which every ranker ranks alike."""
    return int((data.sizes == 1).sum())


def coldness_slices(scores: Values, data: RankingData, *, seed: int, resamples: int) -> dict[str, dict[str, Any]]:
    """NDCG@10 by the number of the user's orders, and the share of positives in the first 10 by the item's orders."""
    per_slate = slate_metrics(scored_slates(data, scores)).values[DECIDING]
    group = np.repeat(np.arange(len(data.sizes)), data.sizes)
    clusters = np.arange(len(data.sizes)) if data.clusters is None else data.clusters

    def interval(values: Values, slates: npt.NDArray[np.int64]) -> dict[str, Any]:
        return asdict(mean_interval(values, seed, resamples, clusters[slates]))

    orders = np.nan_to_num(data.column("user_orders_all")[data.starts])
    users = {}
    for low, high in USER_ORDERS:
        slates = np.flatnonzero((orders >= low) & (orders < high))
        users[_label(low, high)] = {DECIDING: interval(per_slate[slates], slates)}
    order = np.lexsort((data.labels, -scores, group))
    rank = np.empty(len(scores), dtype=np.int64)
    rank[order] = np.arange(len(scores)) - data.starts[group]
    positive = data.labels > 0
    sold = np.nan_to_num(data.column("orders_28d"))
    items = {}
    for low, high in ITEM_ORDERS:
        rows = np.flatnonzero(positive & (sold >= low) & (sold < high))
        items[_label(low, high)] = {"hit@10": interval((rank < 10).astype(np.float64)[rows], group[rows])}
    return {"user_coldness": users, "item_coldness": items}


def calibration(fitted_on: tuple[Values, RankingData], tested_on: tuple[Values, RankingData]) -> list[dict[str, float]]:
    """Platt scaling of the score, fitted on one split and tested in ten equal bins on another."""
    scaling = PlattScaling.fit(fitted_on[0], fitted_on[1].labels > 0)
    scores, data = tested_on
    predicted = scaling(scores)
    bins = np.array_split(np.argsort(predicted, kind="stable"), CALIBRATION_BINS)
    return [
        {
            "bin": float(i),
            "predicted": float(predicted[rows].mean()),
            "observed": float((data.labels[rows] > 0).mean()),
            "rows": float(len(rows)),
        }
        for i, rows in enumerate(bins)
        if len(rows)
    ]


def _label(low: float, high: float) -> str:
    return f"{low:.0f}" if high == low + 1 else f"{low:.0f}+" if np.isinf(high) else f"{low:.0f}-{high - 1:.0f}"
