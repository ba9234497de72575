"""How a feature's values differ between the train and the test split.

Population stability index (Siddiqi 2006, ch. 6), over bins that the train split sets:

    PSI = sum over bins (q - p) ln(q / p)      p, q: the bin's share of the train and the test rows

Missing is a bin of its own. A number has the deciles of its train values as bins, or one bin for each value where there
are at most LEVELS of them. A category has one bin for each of its LEVELS most common levels in the train split and one
for all others: of many rare levels some are always new. Half a row is added to every bin, so that no share is 0.

Kolmogorov and Smirnov's statistic is the largest distance between the two distribution functions, of the values that
are not missing; it needs no bins, and a category has none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infra.models.arrays import Doubles

BINS, LEVELS = 10, 20
SHIFTED, FAR = 0.1, 0.25  # the usual thresholds of the PSI
STABLE, MODERATE, LARGE = "stable", "shifted", "far"


@dataclass(frozen=True)
class Drift:
    """``ks``: None for a category, and where a split has no value."""

    psi: float
    ks: float | None

    @property
    def verdict(self) -> str:
        if self.psi >= FAR:
            return LARGE
        return MODERATE if self.psi >= SHIFTED else STABLE


def drift(train: Doubles, test: Doubles, *, is_category: bool = False) -> Drift:
    """``train``, ``test``: (n,) and (m,), not empty, NaN where missing."""
    known_train, known_test = np.sort(train[~np.isnan(train)]), np.sort(test[~np.isnan(test)])
    missing = (len(train) - len(known_train), len(test) - len(known_test))
    before, after = _levels(known_train, known_test, is_category) or _deciles(known_train, known_test)
    psi = stability_index(np.append(before, missing[0]), np.append(after, missing[1]))
    comparable = len(known_train) and len(known_test) and not is_category
    return Drift(psi, largest_distance(known_train, known_test) if comparable else None)


def stability_index(before: npt.NDArray[np.int64], after: npt.NDArray[np.int64]) -> float:
    """The PSI of two (b,) counts of the same bins."""
    p, q = ((counts + 0.5) / (counts.sum() + 0.5 * len(counts)) for counts in (before, after))
    return float(((q - p) * np.log(q / p)).sum())


def largest_distance(first: Doubles, second: Doubles) -> float:
    """Kolmogorov and Smirnov's statistic of two sorted samples, neither empty.

    Between two values of ``second`` its distribution function is flat, so the largest distance is at one of them or
    just before it.
    """
    found = 0.0
    for side in ("left", "right"):
        ours, theirs = (np.searchsorted(values, second, side) / len(values) for values in (first, second))
        found = max(found, float(np.abs(ours - theirs).max()))
    return found


Counts = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def _levels(train: Doubles, test: Doubles, is_category: bool) -> Counts | None:
    """Counts by value, all but the common ones together; None for a number of many values."""
    levels, counts = np.unique(train, return_counts=True)
    if not is_category and len(levels) > LEVELS:
        return None
    common = np.sort(levels[np.argsort(-counts, kind="stable")[:LEVELS]])
    return _by_level(train, common), _by_level(test, common)


def _by_level(values: Doubles, common: Doubles) -> npt.NDArray[np.int64]:
    """(levels + 1,) counts of the common ones, then of all others."""
    at = np.searchsorted(common, values)
    is_common = np.append(common, np.nan)[at] == values
    return np.bincount(np.where(is_common, at, len(common)), minlength=len(common) + 1)


def _deciles(train: Doubles, test: Doubles) -> Counts:
    """Counts by the deciles of the train values; values between two equal deciles are one bin."""
    edges = np.unique(np.quantile(train, np.arange(1, BINS) / BINS))
    before, after = (np.bincount(np.searchsorted(edges, v), minlength=len(edges) + 1) for v in (train, test))
    return before, after
