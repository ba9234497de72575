"""Small LightGBM models, and rows that are hard for them: ties, NaN, tiny values and values on thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import lightgbm
import numpy as np

from infra.models.arrays import Floats
from infra.models.ranker import LightGbmRanker
from infra.models.trees.forest import Tree, read_forest

TINY = np.array([0.0, -0.0, 1e-45, -1e-45, 1e-35, -1e-35, 1.1e-35, -1.1e-35, 3.4e38, -3.4e38, np.inf, -np.inf, np.nan])


def rows_of(rng: np.random.Generator, rows: int, features: int, levels: int = 0) -> Floats:
    """(rows, features). A tenth of the values is NaN, a tenth extreme. ``levels``: different values per column."""
    matrix = rng.normal(size=(rows, features)) if not levels else rng.integers(-1, levels - 1, (rows, features))
    matrix = np.where(rng.random(matrix.shape) < 0.1, rng.choice(TINY, matrix.shape), matrix)
    return np.where(rng.random(matrix.shape) < 0.1, np.nan, matrix).astype(np.float32)


def ranker_of(seed: int = 0, rounds: int = 12, features: int = 4, levels: int = 0, **parameters: Any) -> LightGbmRanker:
    rng = np.random.default_rng(seed)
    matrix = rows_of(rng, 400, features, levels)
    labels = np.clip(np.nan_to_num(matrix, posinf=0, neginf=0).clip(-3, 3).sum(axis=1) + rng.normal(size=400), 0, 4)
    settings = {"objective": "lambdarank", "num_leaves": 15, "min_data_in_leaf": 3, "num_threads": 1, "verbose": -1}
    settings |= {"seed": seed, "deterministic": True, "min_data_in_bin": 1, "label_gain": list(range(5)), **parameters}
    group = [40] * 10 if settings["objective"] == "lambdarank" else None
    data = lightgbm.Dataset(matrix, labels.round(), group=group, params=settings)
    booster = lightgbm.train(settings, data, num_boost_round=rounds)
    return LightGbmRanker(booster, tuple(f"f{i}" for i in range(features)))


def categorical_ranker(categories: int = 5, **parameters: Any) -> LightGbmRanker:
    """Feature 0 is categorical and decides most; feature 1 is a number."""
    rng = np.random.default_rng(0)
    matrix = np.column_stack([rng.integers(0, categories, 400), rng.normal(size=400)]).astype(np.float32)
    labels = np.isin(matrix[:, 0], np.arange(0, categories, 2)) * 3 + matrix[:, 1] + rng.normal(size=400)
    settings = {"objective": "regression", "num_threads": 1, "verbose": -1, "min_data_in_leaf": 3, "num_leaves": 7}
    settings |= {"min_data_per_group": 3, "cat_smooth": 1, "seed": 0, "deterministic": True, **parameters}
    data = lightgbm.Dataset(matrix, labels, categorical_feature=[0], params=settings)
    return LightGbmRanker(lightgbm.train(settings, data, num_boost_round=4), ("category", "number"))


def hard_rows(ranker: LightGbmRanker, base: Floats) -> Floats:
    """``base`` and, for each split, rows that reach it on both sides of its threshold."""
    trees = read_forest(ranker.booster.model_to_string()).trees
    return np.concatenate([base, *(boundary_rows(tree, base) for tree in trees if len(tree.feature))])


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
    unknown = np.full_like(tree.bound, np.nan)
    near = (tree.bound, _next(tree.bound, np.inf), _next(tree.bound, -np.inf))
    for values in (*near, unknown, np.zeros_like(tree.bound)):
        varied = rows.copy()
        varied[np.arange(len(rows)), tree.feature] = values
        yield varied


def _next(values: Floats, towards: float) -> Floats:
    with np.errstate(over="ignore"):  # infinity follows the largest
        return np.nextafter(values, np.float32(towards))
