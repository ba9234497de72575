"""How well a score sorts users by whether they order: of (n,) scores, higher first, and (n,) labels, 0 or 1.

Equal scores count as what a random order of them gives on average; a NaN score comes last.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from infra.models.arrays import Doubles

Labels = npt.NDArray[np.int8]


def area_under_curve(scores: Doubles, labels: Labels) -> float:
    """Share of (buyer, other) pairs with the buyer's score higher, equal scores half. NaN if either is missing."""
    positives, others = int(labels.sum()), int((labels == 0).sum())
    if not positives or not others:
        return float("nan")
    _, level, sizes = np.unique(_known(scores), return_inverse=True, return_counts=True)
    ranks = np.cumsum(sizes) - (sizes - 1) / 2  # from 1, the mean of equal ones
    above = ranks[level][labels > 0].sum() - positives * (positives + 1) / 2
    return float(above / (positives * others))


def average_precision(scores: Doubles, labels: Labels) -> float:
    """Sum over the score's levels of (recall gained) * (precision so far). NaN without a buyer."""
    hits, seen = _cumulated(scores, labels)
    if not hits[-1]:
        return float("nan")
    gained = np.diff(np.concatenate([[0.0], hits])) / hits[-1]
    return float((gained * hits / seen).sum())


def recall_among_first(scores: Doubles, labels: Labels, n: int) -> float:
    """Share of the buyers that are among the ``n`` users with the highest scores. NaN without a buyer."""
    hits, seen = _cumulated(scores, labels)
    if not hits[-1]:
        return float("nan")
    return float(np.interp(n, np.concatenate([[0], seen]), np.concatenate([[0.0], hits])) / hits[-1])


def _cumulated(scores: Doubles, labels: Labels) -> tuple[Doubles, Doubles]:
    """After each level of equal scores, from the highest: buyers and users so far."""
    levels, level, sizes = np.unique(-_known(scores), return_inverse=True, return_counts=True)
    hits = np.bincount(level, labels, minlength=len(levels))
    return np.cumsum(hits).astype(np.float64), np.cumsum(sizes).astype(np.float64)


def _known(scores: Doubles) -> Doubles:
    return np.where(np.isnan(scores), -np.inf, scores)
