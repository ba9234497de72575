"""Whether other code scores exactly as LightGBM does: on the model's own test rows and around every threshold."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from infra.models.ranker import Doubles, Floats, LightGbmRanker
from infra.models.trees.forest import Forest, Tree, Unsupported, read_forest

Score = Callable[[Floats], Doubles]

TEST_ROWS_FILE = "test_rows.npz"
MAX_ROWS = 3000
NAN_SHARE = 0.05
SEED = 20180101
_FINITE = (float(np.finfo(np.float32).min), float(np.finfo(np.float32).max))


@dataclass(frozen=True)
class ScoredRows:
    """Rows of the test split, (n, f) float32, and what LightGBM gave them when the model was registered, (n,)."""

    matrix: Floats
    scores: Doubles

    def __post_init__(self) -> None:
        rows = len(self.matrix)
        fits = self.matrix.ndim == 2 and self.scores.shape == (rows,) and rows > 0
        if not fits or self.matrix.dtype != np.float32 or self.scores.dtype != np.float64:
            raise ValueError(f"not (n, f) float32 and (n,) float64: {self.matrix.shape} and {self.scores.shape}")

    def save(self, folder: Path) -> None:
        np.savez_compressed(folder / TEST_ROWS_FILE, matrix=self.matrix, scores=self.scores)

    @staticmethod
    def load(folder: Path) -> ScoredRows | None:
        """None where there are none that can be read."""
        try:
            with np.load(folder / TEST_ROWS_FILE, allow_pickle=False) as file:
                return ScoredRows(file["matrix"], file["scores"])
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
            return None


def sample(ranker: LightGbmRanker, matrix: Floats) -> ScoredRows:
    """A seeded sample of ``matrix`` (n, f), then the same rows with some values unknown and, where the model can be
    translated, one value each moved onto a threshold as float32 rounds it. At most MOST_ROWS rows."""
    rng = np.random.default_rng(SEED)
    chosen = np.sort(rng.permutation(len(matrix))[: MAX_ROWS // 2])
    plain = np.ascontiguousarray(matrix[chosen], dtype=np.float32)
    changed = plain.copy()
    changed[rng.random(changed.shape) < NAN_SHARE] = np.nan
    trees = _split_trees(ranker)
    for row in changed if trees else ():
        tree = trees[rng.integers(len(trees))]
        at = rng.integers(len(tree.feature))
        row[tree.feature[at]] = np.clip(tree.threshold[at], *_FINITE)
    rows = np.concatenate([plain, changed])
    return ScoredRows(rows, ranker.score(rows))


def _split_trees(ranker: LightGbmRanker) -> list[Tree]:
    try:
        return [tree for tree in read_forest(ranker.booster.model_to_string()).trees if len(tree.feature)]
    except Unsupported:
        return []


def on_test_rows(score: Score, ranker: LightGbmRanker, rows: ScoredRows) -> str:
    """What ``score`` does otherwise than LightGBM on ``rows``, as a sentence; empty where every double is equal."""
    if not np.array_equal(ranker.score(rows.matrix), rows.scores):
        return "LightGBM itself does not score the model's test rows as it did when the model was registered"
    for matrix in (rows.matrix, np.asfortranarray(rows.matrix)):  # each form has code of its own
        if found := _differences(score(matrix), rows.scores):
            return f"the compiled trees differ from LightGBM on the model's test rows: {found}"
    return ""


def around_thresholds(score: Score, ranker: LightGbmRanker, forest: Forest, rows: ScoredRows) -> str:
    """The same for rows at every threshold of every tree, made from ``rows``."""
    for k, tree in enumerate(forest.trees):
        matrix = boundary_rows(tree, rows.matrix, first=k)
        if found := _differences(score(matrix), ranker.score(matrix)):
            return f"the compiled trees differ from LightGBM around the thresholds of tree {k}: {found}"
    return ""


def boundary_rows(tree: Tree, base: Floats, first: int = 0) -> Floats:
    """For each split five rows that reach it, (5 s, f): on its threshold, next above and below, unknown, and zero.

    The other features are those of a row of ``base``, moved only where they would lead past the split.
    """
    splits, features = len(tree.feature), base.shape[1]
    low = np.full((splits, features), -np.inf, dtype=np.float32)  # a row reaches the split with low < x <= high
    high = np.full((splits, features), np.inf, dtype=np.float32)
    for i in range(splits):
        feature, bound = tree.feature[i], tree.bound[i]
        for child, limits, closer in ((tree.left[i], high, np.minimum), (tree.right[i], low, np.maximum)):
            if child >= 0:
                low[child], high[child] = low[i], high[i]
                limits[child, feature] = closer(limits[child, feature], bound)
    rows = base[(first + np.arange(splits)) % len(base)]
    bound_somewhere = (low > -np.inf) | (high < np.inf)
    inside = (rows > low) & (rows <= high)  # not so for NaN
    reaching = np.where(high < np.inf, high, _next(low, np.inf))
    rows = np.where(bound_somewhere & ~inside, reaching, rows)
    return np.concatenate(list(_around(tree, rows))).astype(np.float32, copy=False)


def _around(tree: Tree, rows: Floats) -> Iterator[Floats]:
    nothing = np.full_like(tree.bound, np.nan)
    near = (tree.bound, _next(tree.bound, np.inf), _next(tree.bound, -np.inf))
    for values in (*near, nothing, np.zeros_like(tree.bound)):
        varied = rows.copy()
        varied[np.arange(len(rows)), tree.feature] = values
        yield varied


def _next(values: Floats, towards: float) -> Floats:
    with np.errstate(over="ignore"):  # infinity follows the largest
        return np.nextafter(values, np.float32(towards))


def _differences(got: Doubles, expected: Doubles) -> str:
    if got.shape != expected.shape:
        return f"{got.shape} scores for {len(expected)} rows"
    wrong = got != expected
    if not wrong.any():
        return ""
    return f"{wrong.sum()} of {len(expected)} scores, by up to {np.abs(got - expected).max():.3g}"
