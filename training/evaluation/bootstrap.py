"""Bootstrap over slates: how much a mean varies with the sample of slates.

Slates of one user are not independent, so whole clusters are drawn: all slates of a user at once (Davison and Hinkley
1997, ch. 3.8). Percentile intervals are too narrow for few clusters. They are expanded as a t interval is wider than a
normal one, by n clusters as by n values (Hesterberg 2015). Seeded, in limited memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, stdtrit

from infra.models.arrays import Doubles

RESAMPLES = 2_000
CONFIDENCE = 0.95
CHUNK_VALUES = 2_000_000  # drawn indices in memory at a time, 8 bytes each

Clusters = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """A mean over ``slates`` slates with its interval, of 95 % unless said otherwise. All are NaN without a slate."""

    mean: float
    low: float
    high: float
    slates: int


def mean_interval(
    values: Doubles,
    seed: int = 0,
    resamples: int = RESAMPLES,
    clusters: Clusters | None = None,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Mean of per-slate ``values`` (g,), without NaN, with its interval over resampled clusters.

    ``clusters``: (g,) the cluster of each slate; by default each slate is one. With one cluster nothing is known of
    the variation, and the bounds are NaN, unless all values are equal.
    """
    known = ~np.isnan(np.asarray(values, dtype=np.float64))
    if not known.any():
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    found = np.asarray(values, dtype=np.float64)[known]
    if np.ptp(found) == 0:
        return Interval(float(found[0]), float(found[0]), float(found[0]), len(found))
    _, cluster = np.unique(np.arange(len(found)) if clusters is None else clusters[known], return_inverse=True)
    sums, counts = np.bincount(cluster, found).astype(np.float64), np.bincount(cluster)
    if len(sums) == 1:
        return Interval(float(found.mean()), float("nan"), float("nan"), len(found))
    tail = _expanded((1 - confidence) / 2, len(sums))
    low, high = np.quantile(_resampled_means(sums, counts, seed, resamples), (tail, 1 - tail))
    return Interval(float(found.mean()), float(low), float(high), len(found))


def paired_difference(
    first: Doubles,
    second: Doubles,
    seed: int = 0,
    resamples: int = RESAMPLES,
    clusters: Clusters | None = None,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Mean of first - second over the same slates (g,), with its interval. A slate with NaN in either is left out.

    Raises ValueError if the shapes differ.
    """
    if np.shape(first) != np.shape(second):
        raise ValueError(f"a paired difference needs the same slates: shapes {np.shape(first)} and {np.shape(second)}")
    return mean_interval(np.asarray(first) - np.asarray(second), seed, resamples, clusters, confidence)


def _expanded(tail: float, clusters: int) -> float:
    """The tail of the percentile interval of ``clusters`` values that is as wide as the t interval of ``tail``."""
    quantile = stdtrit(clusters - 1, tail)
    return float(ndtr(math.sqrt(clusters / (clusters - 1)) * quantile))


def _resampled_means(sums: Doubles, counts: npt.NDArray[np.int64], seed: int, resamples: int) -> Doubles:
    """(resamples,) means over all slates of as many clusters (c,), drawn with replacement."""
    generator = np.random.default_rng(seed)
    rows = max(1, CHUNK_VALUES // len(sums))
    means = np.empty(resamples)
    for start in range(0, resamples, rows):
        stop = min(start + rows, resamples)
        drawn = generator.integers(0, len(sums), size=(stop - start, len(sums)))
        means[start:stop] = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return means
