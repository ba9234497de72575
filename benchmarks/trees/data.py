"""The model that is scored, and the rows: ordinary ones, and ones on and next to its thresholds."""

from __future__ import annotations

import lightgbm
import numpy as np

from infra.models.arrays import Floats
from infra.models.trees.forest import Forest

TREES, LEAVES, FEATURES = 300, 63, 40
TRAINING_ROWS, SLATE = 12_000, 500
BOUNDARY_ROWS = 9_000


def rows_of(rng: np.random.Generator, rows: int) -> Floats:
    """(rows, FEATURES): a quarter of the columns are small counts, a tenth of all values is unknown."""
    matrix = rng.normal(size=(rows, FEATURES))
    matrix[:, ::4] = np.floor(np.abs(matrix[:, ::4]) * 4)
    return np.where(rng.random(matrix.shape) < 0.1, np.nan, matrix).astype(np.float32)


def model(rng: np.random.Generator) -> lightgbm.Booster:
    matrix = rows_of(rng, TRAINING_ROWS)
    known = np.nan_to_num(matrix)
    utility = known @ rng.normal(size=FEATURES) + 3 * known[:, 1] * known[:, 2] + rng.normal(size=len(matrix)) * 3
    labels = np.digitize(utility, np.quantile(utility, [0.6, 0.8, 0.9, 0.97]))
    settings = {"objective": "lambdarank", "num_leaves": LEAVES, "num_threads": 2, "seed": 1, "verbose": -1}
    data = lightgbm.Dataset(matrix, labels, group=[50] * (len(matrix) // 50))
    return lightgbm.train(settings, data, num_boost_round=TREES)


def hard_rows(rng: np.random.Generator, forest: Forest, base: Floats) -> Floats:
    """Ordinary rows, and rows with one value on a threshold or next to it, shuffled; a multiple of SLATE."""
    features = np.concatenate([tree.feature for tree in forest.trees])
    bounds = np.concatenate([tree.bound for tree in forest.trees])
    chosen = rng.integers(len(bounds), size=BOUNDARY_ROWS)
    towards = rng.choice(np.array([-np.inf, 0, np.inf], np.float32), BOUNDARY_ROWS)
    near = np.where(towards == 0, bounds[chosen], np.nextafter(bounds[chosen], towards))
    around = base[rng.integers(len(base), size=BOUNDARY_ROWS)]
    around[np.arange(BOUNDARY_ROWS), features[chosen]] = near
    rows = rng.permutation(np.concatenate([base, around]))
    return rows[: len(rows) // SLATE * SLATE]
