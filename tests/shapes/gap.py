"""How much of the way from the best baseline to the oracle a model goes, over the same slates.

    share = (mean of the model - mean of the baseline) / (mean of the oracle - mean of the baseline)

Its interval is that of a paired bootstrap: whole clusters of slates (a user's) are drawn, and the three means are taken
over the same draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

RESAMPLES, CONFIDENCE = 2_000, 0.95
NO_GAP = 1e-3  # an oracle that is no better than the baseline leaves no gap to close


@dataclass(frozen=True)
class Share:
    """NaN where there is no gap."""

    mean: float
    low: float
    high: float


def closed_share(model: Doubles, baseline: Doubles, oracle: Doubles, clusters: Integers, seed: int = 0) -> Share:
    """``model``, ``baseline``, ``oracle``: (g,) a metric of each slate, NaN where it is not defined, the same for all.

    ``clusters``: (g,) a number for the user of each slate.
    """
    known = ~np.isnan(oracle)
    cluster = np.unique(clusters[known], return_inverse=True)[1]
    count = np.bincount(cluster)
    won, gap = (np.bincount(cluster, (of - baseline)[known]) for of in (model, oracle))
    if gap.sum() < NO_GAP * count.sum():
        return Share(*3 * [float("nan")])
    drawn = np.random.default_rng(seed).integers(len(count), size=(RESAMPLES, len(count)))
    shares = won[drawn].sum(axis=1) / np.maximum(gap[drawn].sum(axis=1), NO_GAP * count[drawn].sum(axis=1))
    low, high = np.quantile(shares, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Share(float(won.sum() / gap.sum()), float(low), float(high))
