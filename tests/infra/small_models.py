"""Small LightGBM models, and rows that are hard for them: ties, NaN, tiny values and values on thresholds."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np

from infra.models.ranker import Floats, LightGbmRanker
from infra.models.trees.forest import read_forest
from infra.models.trees.score_parity import boundary_rows

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


def hard_rows(ranker: LightGbmRanker, base: Floats) -> Floats:
    """``base`` and, for each split, rows that reach it on both sides of its threshold."""
    trees = read_forest(ranker.booster.model_to_string()).trees
    return np.concatenate([base, *(boundary_rows(tree, base) for tree in trees if len(tree.feature))])
