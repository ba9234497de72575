"""Position bias: how likely users examine each position on the screen, and the weight of a click there.

A user clicks an item that is examined and wanted. A model of the click by features *and* position shows how clicks
fall with the position for the same items. This is the examination curve of a position-based model (Craswell et al.
2008; the model as in Ling et al. 2017), up to a constant. A click is weighted by 1 / examination, so that a click at a
position that few users examine counts for the clicks that were not made (inverse propensity weights: Joachims,
Swaminathan, Schnabel 2017).

These weights choose the number of rounds. The fit itself is corrected in :mod:`training.ranker.lambdamart`, which gives
LightGBM the positions.
"""

from __future__ import annotations

from dataclasses import dataclass

import lightgbm
import numpy as np
import numpy.typing as npt

from infra.models.arrays import Doubles
from training.training_set.ranking_data import RankingData

POSITIONS = 50  # all positions below the last one share its value
MIN_EXAMINATION = 0.05  # so the max weight of a click is 20
SAMPLE = 4_000  # rows over which the curve is averaged
ROUNDS = 80
_PARAMETERS = {"objective": "binary", "learning_rate": 0.1, "num_leaves": 15, "min_data_in_leaf": 100,
               "deterministic": True, "force_row_wise": True, "verbosity": -1}  # fmt: skip


def examination(data: RankingData, seed: int, threads: int) -> Doubles:
    """(POSITIONS,), 1 at the first position, never rising, at least MIN_EXAMINATION. ``data``: with ``shown_at``."""
    assert data.shown_at is not None
    position = np.minimum(data.shown_at, POSITIONS - 1)
    rows = np.column_stack((data.matrix, position))
    constraints = [0] * data.matrix.shape[1] + [-1]  # clicks never rise with the position
    parameters = {**_PARAMETERS, "seed": seed, "num_threads": threads, "monotone_constraints": constraints}
    dataset = lightgbm.Dataset(rows, data.labels > 0, categorical_feature=data.categories)
    model = lightgbm.train(parameters, dataset, ROUNDS)
    picked = np.random.default_rng(seed).choice(len(rows), min(SAMPLE, len(rows)), replace=False)
    sample = rows[picked]
    clicks = np.empty(POSITIONS)
    for k in range(POSITIONS):
        sample[:, -1] = k
        clicks[k] = np.asarray(model.predict(sample, num_threads=threads)).mean()
    return np.asarray(np.maximum(clicks / clicks[0], MIN_EXAMINATION), np.float64)


@dataclass(frozen=True)
class WeightedClicks:
    """Measures how high a ranker ranks the clicked items.

    weights: (n,) of each row, 0 without a click; sizes: (g,) rows of each slate.
    """

    weights: Doubles
    sizes: npt.NDArray[np.int64]

    @staticmethod
    def of(data: RankingData, curve: Doubles) -> WeightedClicks:
        """The weight of a row is its gain divided by the examination of its position."""
        assert data.shown_at is not None
        examined = curve[np.minimum(data.shown_at, len(curve) - 1)]
        return WeightedClicks((np.exp2(data.labels) - 1) / examined, data.sizes)

    def discounted(self, scores: Doubles) -> float:
        """Weighted mean of the discount 1 / log2(1 + rank) over all clicks. Ties count against the ranker."""
        slate = np.repeat(np.arange(len(self.sizes)), self.sizes)
        order = np.lexsort((self.weights, -scores, slate))
        starts = np.cumsum(self.sizes) - self.sizes
        rank = np.empty(len(scores))
        rank[order] = np.arange(len(scores)) - np.repeat(starts, self.sizes) + 1
        return float((self.weights / np.log2(1 + rank)).sum() / self.weights.sum())
