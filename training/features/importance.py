"""What the ranker loses when it cannot see a feature: permutation importance (Breiman 2001) on whole slates.

A feature is shuffled, the slates are scored again, and the loss is the metric as it is minus the metric then, paired by
slate. What differs between the candidates of a slate is shuffled inside each slate: its values stay those of this
slate, and only what they say of the candidates is lost. What is the same for all candidates of every slate (the user's,
the session's, the request's) is exchanged between slates. Features that are shuffled together share one order.

Features that know the same cover for each other: a loss of 0 says that the model can do without this one, not
without all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infra.models.arrays import Doubles, Floats
from training.evaluation.bootstrap import Interval, paired_difference
from training.evaluation.metrics import RepeatedNdcg
from training.training_set.ranking_data import RankingData

Score = Callable[[Floats], Doubles]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Shuffling:
    """How often, and of the intervals: the ``seed`` and how many ``resamples``."""

    repeats: int
    seed: int
    resamples: int


class Permutation:
    """``score``: (n, f) float32 of ``data`` -> (n,). Slates without a positive are not judged."""

    def __init__(self, data: RankingData, score: Score, shuffling: Shuffling) -> None:
        self._data, self._score, self._shuffling = data, score, shuffling
        self._metric = RepeatedNdcg(data.labels, data.sizes)
        self._full = self._metric.values(score(data.matrix))
        self._is_shared = {name: is_shared(data, name) for name in data.feature_names}

    @property
    def full(self) -> Interval:
        """The metric as it is."""
        return self._loss(np.zeros(len(self._full)))

    @property
    def none(self) -> Interval:
        """The loss by a feature that the model does not read."""
        return self._loss(self._full)

    @property
    def users(self) -> int:
        """That the judged slates are of."""
        judged, clusters = ~np.isnan(self._full), self._data.clusters
        return int(judged.sum()) if clusters is None else len(np.unique(clusters[judged]))

    def loss(self, names: Collection[str]) -> Interval:
        """With these features shuffled together."""
        repeats, seed = self._shuffling.repeats, self._shuffling.seed
        return self._loss(np.mean([self._shuffled(names, seed + i) for i in range(repeats)], axis=0))

    def _shuffled(self, names: Collection[str], seed: int) -> Doubles:
        data = self._data
        matrix = data.matrix.copy(order="K")
        inside, between = inside_slates(data, seed), between_slates(data, seed)
        for name in names:
            j = data.feature_names.index(name)
            matrix[:, j] = data.matrix[between if self._is_shared[name] else inside, j]
        return self._metric.values(self._score(matrix))

    def _loss(self, shuffled: Doubles) -> Interval:
        seed, resamples = self._shuffling.seed, self._shuffling.resamples
        return paired_difference(self._full, shuffled, seed, resamples, self._data.clusters)


def losses(
    permutation: Permutation, groups: Mapping[str, Collection[str]], read: Collection[str]
) -> dict[str, Interval]:
    """Of each group of features. ``read``: the features that the model has splits on; the others change no score."""
    found = {}
    for name, features in groups.items():
        seen = [feature for feature in features if feature in read]
        found[name] = permutation.loss(seen) if seen else permutation.none
    return found


def spared(permutation: Permutation, names: Sequence[str]) -> tuple[tuple[str, ...], Interval]:
    """The longest beginning of ``names`` without which the metric does not fall, and its loss when it is shuffled
    together.

    ``names``: those of the least loss first. The mean decides: a longest list whose interval just reaches 0 would lose
    half an interval. A longer beginning is taken to lose more, so that few are tried.
    """
    few, many, loss = 0, len(names), permutation.none
    while few < many:
        middle = (few + many + 1) // 2
        found = permutation.loss(names[:middle])
        if found.mean > 0:
            many = middle - 1
        else:
            few, loss = middle, found
    return tuple(names[:few]), loss


def is_shared(data: RankingData, name: str) -> bool:
    """Whether all candidates of a slate have the same value, in every slate."""
    values = data.column(name)
    first = np.repeat(values[data.starts], data.sizes)
    return bool(((values == first) | (np.isnan(values) & np.isnan(first))).all())


def inside_slates(data: RankingData, seed: int) -> Rows:
    """(n,) rows, shuffled inside each slate."""
    group = np.repeat(np.arange(len(data.sizes)), data.sizes)
    return np.lexsort((np.random.default_rng(seed).random(len(group)), group))


def between_slates(data: RankingData, seed: int) -> Rows:
    """(n,) for all rows of a slate the first row of another, each slate's once."""
    return np.repeat(data.starts[np.random.default_rng(seed).permutation(len(data.sizes))], data.sizes)
