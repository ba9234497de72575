"""Where users looked: how likely an item is examined by its place on the screen, and what clicks are worth for it.

Clicks need both, that the item was seen and that it was wanted. A model of the click by features *and* place says how
clicks fall with the place when the items stay the same, which is the examination curve of a position-based model
(Craswell et al. 2008; the model as in Ling et al. 2017), up to a constant. A click at a place that few look at then
stands for the many that were not made (inverse propensity weights: Joachims, Swaminathan, Schnabel 2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import lightgbm
import numpy as np
import numpy.typing as npt

from infra.models.ranker import Doubles
from training.training_set.ranking_data import RankingData

POSITIONS = 50  # further down the last of them stands for all
LEAST = 0.05  # examination: a click counts for twenty at most
SAMPLE = 4_000  # rows over which the curve is averaged
ROUNDS = 80
_PARAMETERS = {"objective": "binary", "learning_rate": 0.1, "num_leaves": 15, "min_data_in_leaf": 100,
               "deterministic": True, "force_row_wise": True, "verbosity": -1}  # fmt: skip


def examination(data: RankingData, seed: int, threads: int) -> Doubles:
    """(PLACES,) from 1 at the first place on, never rising and never below LEAST. ``data``: with ``shown_at``."""
    assert data.shown_at is not None
    position = np.minimum(data.shown_at, POSITIONS - 1)
    rows = np.column_stack((data.matrix, position))
    falls = [0] * data.matrix.shape[1] + [-1]  # nobody looks the more the further down
    parameters = {**_PARAMETERS, "seed": seed, "num_threads": threads, "monotone_constraints": falls}
    model = lightgbm.train(parameters, lightgbm.Dataset(rows, data.labels > 0), ROUNDS)
    picked = np.random.default_rng(seed).choice(len(rows), min(SAMPLE, len(rows)), replace=False)
    sample = rows[picked]
    clicks = np.empty(POSITIONS)
    for k in range(POSITIONS):
        sample[:, -1] = k
        clicks[k] = np.asarray(model.predict(sample, num_threads=threads)).mean()
    return np.asarray(np.maximum(clicks / clicks[0], LEAST), np.float64)


@dataclass(frozen=True)
class WeighedClicks:
    """How high a ranker puts the items that were clicked, each click weighed by how many it stands for.

    worth: (n,) of each row, 0 where nothing was clicked; sizes: (g,) rows of each slate.
    """

    worth: Doubles
    sizes: npt.NDArray[np.int64]

    @staticmethod
    def of(data: RankingData, curve: Doubles) -> WeighedClicks:
        assert data.shown_at is not None
        seen = curve[np.minimum(data.shown_at, len(curve) - 1)]
        return WeighedClicks((np.exp2(data.labels) - 1) / seen, data.sizes)

    def discounted(self, scores: Doubles) -> float:
        """Mean discount 1 / log2(1 + rank) over all clicks, by their worth. Ranks count equal scores in row order."""
        slate = np.repeat(np.arange(len(self.sizes)), self.sizes)
        order = np.lexsort((np.arange(len(scores)), -scores, slate))
        starts = np.cumsum(self.sizes) - self.sizes
        rank = np.empty(len(scores))
        rank[order] = np.arange(len(scores)) - np.repeat(starts, self.sizes) + 1
        return float((self.worth / np.log2(1 + rank)).sum() / self.worth.sum())
