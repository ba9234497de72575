"""Ranking metrics of many slates at once, one value per slate.

The order is by score. Ties count AGAINST the ranker: of equal scores the lower label comes first. NaN scores come
last and are tied with each other. With rel_i the label at position i (from 1) and P positives (label > 0):

    ndcg@k     sum_{i<=k} (2^rel_i - 1) / log2(i + 1), divided by the same sum in the best order    Burges 2010
    mrr        1 / position of the first positive
    map@10     sum_{i<=10} [rel_i > 0] precision(i) / min(P, 10)
    recall@25  positives among the first 25 / relevant_total

The first three are NaN if P = 0, recall if relevant_total = 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from infra.models.arrays import Doubles, Integers
from infra.models.ranker import group_starts

METRICS = ("ndcg@5", "ndcg@10", "ndcg@25", "mrr", "map@10", "recall@25")
NDCG_DEPTHS = (5, 10, 25)
MAP_DEPTH = 10
RECALL_DEPTH = 25
MAX_LABEL = 30


class BadSlates(ValueError):
    """Scores, labels and sizes that do not fit together."""


@dataclass(frozen=True)
class ScoredSlates:
    """Slates, concatenated, with the scores of one ranker.

    scores:         (n,) float64, higher first, NaN last
    labels:         (n,) integer gains, 0 to 30; a label above 0 is a positive
    sizes:          (g,) rows of each slate, positive, with the sum n
    relevant_total: (g,) items that the user wanted, in the slate or not; at least the slate's positives

    Raises BadSlates, and BadGroups (``infra.models.ranker``) for bad sizes.
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
        too_low = ~(self.relevant_total >= positives)  # written so that NaN is too low
        if too_low.any():
            slate = int(np.argmax(too_low))
            raise BadSlates(
                f"slate {slate} has {positives[slate]} positives, but relevant_total is {self.relevant_total[slate]}"
            )


@dataclass(frozen=True)
class SlateMetrics:
    """``values``: metric name -> (g,) float64, NaN if undefined. ``without_positive``: slates without a positive."""

    values: Mapping[str, Doubles]
    without_positive: int


def slate_metrics(slates: ScoredSlates) -> SlateMetrics:
    """All METRICS for every slate."""
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


@dataclass(frozen=True)
class RepeatedNdcg:
    """ndcg@``depth`` of the same slates under many scores, many times faster than :func:`slate_metrics`.

    labels: (n,) integers; sizes: (g,) rows of each slate.
    """

    labels: npt.NDArray[Any]
    sizes: npt.NDArray[Any]
    depth: int = 10

    def values(self, scores: Doubles) -> Doubles:
        """(g,) of scores (n,) without NaN; equal to the metric of :func:`slate_metrics`."""
        by_label, group, top, starts, position = self._layout
        descending = np.argsort(-scores[by_label], kind="stable")  # equal scores: the lowest label first
        order = descending[np.argsort(group[descending], kind="stable")]
        labels = self.labels[by_label][order[top]].astype(np.int64)
        return _dcg(labels, position, starts, self.depth) / _positive(self._ideal)

    def mean(self, scores: Doubles) -> float:
        """Over the slates with a positive; NaN if there is none."""
        values = self.values(scores)
        known = values[~np.isnan(values)]
        return float(known.mean()) if len(known) else float("nan")

    @cached_property
    def _layout(self) -> tuple[Integers, npt.NDArray[Any], Integers, Integers, Integers]:
        """Rows by slate and label, (n,); the slate of each, (n,); the first ``depth`` rows of each slate, (m,); where
        each slate begins among them, (g,); and their positions, (m,).
        """
        group = _groups(self.sizes)
        starts = group_starts(self.sizes, len(self.labels))
        position = np.arange(len(self.labels)) - np.repeat(starts, self.sizes)
        top = np.flatnonzero(position < self.depth)
        shown = np.minimum(self.sizes, self.depth)
        narrow = group.astype(np.min_scalar_type(len(self.sizes)))  # NumPy sorts 16-bit integers by radix
        return np.lexsort((self.labels, group)), narrow, top, np.cumsum(shown) - shown, position[top]

    @cached_property
    def _ideal(self) -> Doubles:
        group, starts = _groups(self.sizes), group_starts(self.sizes, len(self.labels))
        ordered = self.labels[np.lexsort((-self.labels.astype(np.int64), group))].astype(np.int64)
        position = np.arange(len(self.labels)) - np.repeat(starts, self.sizes)
        return _dcg(ordered, position, starts, self.depth)


@dataclass(frozen=True)
class RepeatedRecall:
    """Mean recall@``depth`` of the same slates under many scores.

    labels: (n,) integers; sizes: (g,) rows of each slate; relevant_total: (g,) items that the user wanted.
    """

    labels: npt.NDArray[Any]
    sizes: npt.NDArray[Any]
    relevant_total: npt.NDArray[Any]
    depth: int = RECALL_DEPTH

    def mean(self, scores: Doubles) -> float:
        """Of scores (n,) without NaN, over the slates with a wanted item; equal to the metric of slate_metrics."""
        group = _groups(self.sizes)
        order = np.lexsort((self.labels, -scores, group))
        position = np.arange(len(group)) - np.repeat(group_starts(self.sizes, len(group)), self.sizes)
        hits = np.bincount(group, (self.labels[order] > 0) & (position < self.depth), minlength=len(self.sizes))
        return float(np.nanmean(hits / _positive(self.relevant_total)))


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
    """(g,) sum of the precisions at the hits of the first MAP_DEPTH positions."""
    total: Integers = np.cumsum(hits, dtype=np.int64)
    before: Integers = total[starts] - hits[starts]  # hits of all earlier slates
    within: Integers = total - before[np.cumsum(position == 0) - 1]
    return np.add.reduceat(np.where(hits & (position < MAP_DEPTH), within / (position + 1.0), 0.0), starts)


def _positive(denominator: npt.NDArray[Any]) -> Doubles:
    """The denominator with NaN for 0, so that the quotient is NaN and NumPy does not warn."""
    return np.where(denominator > 0, denominator.astype(np.float64), np.nan)
