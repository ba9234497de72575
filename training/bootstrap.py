"""Percentile bootstrap over slates (Efron 1979)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """Mean with its 95 % interval, over ``slates`` values that are defined."""

    mean: float
    low: float
    high: float
    slates: int


def interval(values: Values, *, seed: int, resamples: int = 2000) -> Interval:
    """Of (g,) per-slate values, NaN left out. All NaN gives NaN bounds over 0 slates."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    for i in range(resamples):
        means[i] = defined[generator.integers(0, len(defined), len(defined))].mean()
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(defined.mean()), float(low), float(high), len(defined))


def paired(ours: Values, theirs: Values, *, seed: int, resamples: int = 2000) -> Interval:
    """Of the difference on the same slates; a slate that is NaN on either side is left out."""
    return interval(ours - theirs, seed=seed, resamples=resamples)
