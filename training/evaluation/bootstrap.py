"""Bootstrap over slates: how much a mean varies with the sample of slates.

Percentile intervals (Efron and Tibshirani 1993, ch. 13), seeded, in limited memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from infra.models.arrays import Doubles

RESAMPLES = 2_000
CONFIDENCE = 0.95
CHUNK_VALUES = 2_000_000  # drawn indices in memory at a time, 8 bytes each


@dataclass(frozen=True)
class Interval:
    """A mean over ``slates`` slates with its 95 % interval. All are NaN without a slate."""

    mean: float
    low: float
    high: float
    slates: int


def mean_interval(values: Doubles, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Mean of per-slate ``values`` (g,), without NaN, with its interval over resampled slates."""
    known = np.asarray(values, dtype=np.float64)
    known = known[~np.isnan(known)]
    if not known.size:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    low, high = np.quantile(_resampled_means(known, seed, resamples), ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return Interval(float(known.mean()), float(low), float(high), len(known))


def paired_difference(first: Doubles, second: Doubles, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """Mean of first - second over the same slates (g,), with its interval. A slate with NaN in either is left out.

    Raises ValueError if the shapes differ.
    """
    if np.shape(first) != np.shape(second):
        raise ValueError(f"a paired difference needs the same slates: shapes {np.shape(first)} and {np.shape(second)}")
    return mean_interval(np.asarray(first) - np.asarray(second), seed, resamples)


def _resampled_means(values: Doubles, seed: int, resamples: int) -> Doubles:
    """(resamples,) means of samples of the same size, drawn with replacement."""
    generator = np.random.default_rng(seed)
    rows = max(1, CHUNK_VALUES // len(values))
    means = np.empty(resamples)
    for start in range(0, resamples, rows):
        stop = min(start + rows, resamples)
        drawn = generator.integers(0, len(values), size=(stop - start, len(values)))
        means[start:stop] = values[drawn].mean(axis=1)
    return means
