"""Whether the compiled trees score exactly as LightGBM does on the model's own test rows."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from infra.models.arrays import Doubles, Floats
from infra.models.ranker import LightGbmRanker
from infra.models.trees.forest import read_forest

Score = Callable[[Floats], Doubles]

TEST_ROWS_FILE = "test_rows.npz"
MAX_ROWS = 3000
NAN_SHARE = 0.05
SEED = 20180101
_FINITE = (float(np.finfo(np.float32).min), float(np.finfo(np.float32).max))


@dataclass(frozen=True)
class ScoredRows:
    """Rows of the test split, (n, f) float32, and their scores by LightGBM when the model was registered, (n,)."""

    matrix: Floats
    scores: Doubles

    def __post_init__(self) -> None:
        rows = len(self.matrix)
        fits = self.matrix.ndim == 2 and self.scores.shape == (rows,) and rows > 0
        if not fits or self.matrix.dtype != np.float32 or self.scores.dtype != np.float64:
            raise ValueError(
                f"rows must be (n, f) float32 and scores (n,) float64, not {self.matrix.shape} and {self.scores.shape}"
            )

    def save(self, folder: Path) -> None:
        np.savez_compressed(folder / TEST_ROWS_FILE, matrix=self.matrix, scores=self.scores)

    @staticmethod
    def load(folder: Path) -> ScoredRows | None:
        """None without readable test rows."""
        try:
            with np.load(folder / TEST_ROWS_FILE, allow_pickle=False) as file:
                return ScoredRows(file["matrix"], file["scores"])
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
            return None


def sample(ranker: LightGbmRanker, matrix: Floats) -> ScoredRows:
    """Rows to register with the model, at most MAX_ROWS. The first half is a seeded sample of ``matrix``, (n, f).

    The second half is the first with some values unknown and, where the kernel can represent the model, one value
    of each row moved onto a threshold, as float32 rounds it, or to a category near those of a split's set.
    """
    rng = np.random.default_rng(SEED)
    chosen = np.sort(rng.permutation(len(matrix))[: MAX_ROWS // 2])
    plain = np.ascontiguousarray(matrix[chosen], dtype=np.float32)
    changed = plain.copy()
    changed[rng.random(changed.shape) < NAN_SHARE] = np.nan
    forest = read_forest(ranker.booster.model_to_string())
    trees = [] if forest.unsupported else [tree for tree in forest.trees if len(tree.feature)]
    for row in changed if trees else ():
        tree = trees[rng.integers(len(trees))]
        split = rng.integers(len(tree.feature))
        value = tree.threshold[split]
        if tree.is_categorical[split]:
            value = rng.integers(32 * len(tree.sets[int(value)]) + 1)
        row[tree.feature[split]] = np.clip(value, *_FINITE)
    rows = np.concatenate([plain, changed])
    return ScoredRows(rows, ranker.score(rows))


def difference_on(rows: ScoredRows, score: Score, ranker: LightGbmRanker) -> str:
    """How ``score`` differs from LightGBM on ``rows``, as a sentence; empty where every double is equal."""
    if not np.array_equal(ranker.score(rows.matrix), rows.scores):
        return "LightGBM itself does not score the model's test rows as it did when the model was registered"
    found = _difference(score(rows.matrix), rows.scores)
    return found and f"the compiled trees differ from LightGBM on the model's test rows: {found}"


def _difference(got: Doubles, expected: Doubles) -> str:
    if got.shape != expected.shape:
        return f"{got.shape} scores for {len(expected)} rows"
    wrong = got != expected
    if not wrong.any():
        return ""
    return f"{wrong.sum()} of {len(expected)} scores, by up to {np.abs(got - expected).max():.3g}"
