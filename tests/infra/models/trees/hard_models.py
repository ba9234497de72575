"""Models with every kind of split, and rows whose values stand on what decides: bounds, zeros, unknowns, categories."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import lightgbm
import numpy as np

from infra.models.arrays import Floats
from infra.models.trees.forest import read_forest

CATEGORIES = 120
TINY = np.float32(1e-35)
NUMBERS = np.float32(
    [0, -0.0, TINY, -TINY, 9.9e-36, -9.9e-36, 1e-38, 1e-45, -1e-45, 1, -1, 3.4e38, -3.4e38, np.inf, -np.inf, np.nan]
    + [np.nextafter(sign * TINY, np.float32(towards)) for sign in (1, -1) for towards in (1, -1)]
)
VALUES_OF_CATEGORIES = np.float32(
    [0, -0.0, -0.3, -0.999, -1, -1.0000001, -5, 0.5, 1.7, 31, 31.999, 32, 33, 63, 64, 95.5, 96]
)
BEYOND_CATEGORIES = np.float32([1000, 2**31 - 128, 2**31, 2**32, 1e10, 1e30, -1e30, -(2**31), np.inf, -np.inf, np.nan])
THRESHOLDS = ["0", "-0", "1.0000000180025095e-35", "-1.0000000180025095e-35", "1e-36", "-1e-36", "1e-35", "1e300"]
THRESHOLDS += ["-1e300", "inf", "-inf", "0.1", "-0.1", "3.4028234663852886e38", "1e39"]
MANY_SETS = {
    "num_leaves": 63,
    "max_cat_to_onehot": 1,
    "min_data_per_group": 5,
    "cat_smooth": 1,
    "max_cat_threshold": 99,
}
NUMERICAL_DECISIONS, CATEGORICAL_DECISIONS = [0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9, 11]


@dataclass(frozen=True)
class Case:
    """What to train, and how to change LightGBM's text afterwards."""

    parameters: dict[str, Any]
    features: int = 8
    categorical: tuple[int, ...] = ()
    unknown: float = 0.1  # share of NaN in training
    shift: float = 0.0
    rounds: int = 8
    rows: int = 4_000
    rewrite: Callable[[str], str] = lambda text: text

    def text(self) -> str:
        return self.rewrite(without_sizes(self._trained().model_to_string()))

    def _trained(self) -> lightgbm.Booster:
        rng = np.random.default_rng(0)
        matrix = rng.normal(size=(self.rows, self.features)) + self.shift
        matrix[:, self.categorical] = rng.integers(0, CATEGORIES, (self.rows, len(self.categorical)))
        matrix[rng.random(matrix.shape) < 0.2] = 0
        matrix[rng.random(matrix.shape) < self.unknown] = np.nan
        known = np.nan_to_num(matrix)
        labels = known @ rng.normal(size=self.features) + (np.sin(known[:, self.categorical] * 7) * 3).sum(axis=1)
        labels += np.isnan(matrix[:, 0]) * 3 + (matrix[:, 1] == 0) * 2 + rng.normal(size=self.rows)
        settings = {"objective": "regression", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 3, "seed": 0}
        settings |= self.parameters
        data = lightgbm.Dataset(matrix, labels, categorical_feature=list(self.categorical), params=settings)
        return lightgbm.train(settings, data, self.rounds)


def without_sizes(text: str) -> str:
    """LightGBM finds the trees by these sizes, which no longer fit a text that was changed."""
    return re.sub(r"\ntree_sizes=[^\n]*", "", text)


def with_decisions(numerical: list[int], categorical: list[int] | None = None) -> Callable[[str], str]:
    """Every split gets one of these decision types, a seeded choice."""

    def rewrite(text: str) -> str:
        rng = np.random.default_rng(1)

        def changed(found: re.Match[str]) -> str:
            kinds = [
                (categorical or CATEGORICAL_DECISIONS) if int(kind) & 1 else numerical for kind in found[1].split()
            ]
            return "decision_type=" + " ".join(str(rng.choice(each)) for each in kinds)

        return re.sub(r"decision_type=([\d ]*)", changed, text)

    return rewrite


def with_odd_thresholds(text: str) -> str:
    """Three of ten thresholds become zero, tiny, huge, or infinite; decision types are chosen at random."""
    rng = np.random.default_rng(2)

    def changed(found: re.Match[str]) -> str:
        chosen = [rng.choice(THRESHOLDS) if rng.random() < 0.3 else each for each in found[1].split()]
        return "\nthreshold=" + " ".join(chosen)

    return re.sub(r"\nthreshold=([^\n]*)", changed, with_decisions(NUMERICAL_DECISIONS)(text))


def with_a_tree_of_one_leaf(text: str) -> str:
    arrays = "split_feature split_gain threshold decision_type left_child right_child leaf_weight leaf_count "
    arrays += "internal_value internal_weight internal_count"
    lines = ["num_leaves=1", "num_cat=0", *(f"{name}=" for name in arrays.split())]
    lines += ["leaf_value=0.12345678901234567", "is_linear=0", "shrinkage=1"]
    number = text.count("\nTree=")
    return text.replace("\nend of trees", f"\nTree={number}\n" + "\n".join(lines) + "\n\n\nend of trees", 1)


CASES = {
    **{f"{leaves} leaves": Case({"num_leaves": leaves}) for leaves in (2, 31, 63, 64, 65, 128, 255, 256)},
    "nothing unknown in training": Case({"num_leaves": 63}, unknown=0),
    "use_missing=false": Case({"num_leaves": 63, "use_missing": False}),
    "zero_as_missing": Case({"num_leaves": 63, "zero_as_missing": True}),
    "zero_as_missing, nothing unknown in training": Case({"zero_as_missing": True}, unknown=0, shift=1),
    "5000 bins": Case({"num_leaves": 255, "max_bin": 5000}, features=3, rounds=20),
    "3 bins": Case({"num_leaves": 15, "max_bin": 3}),
    "sets of categories": Case(MANY_SETS, categorical=(2, 5)),
    "sets of categories, nothing unknown in training": Case(MANY_SETS, categorical=(2, 5), unknown=0),
    "sets of categories, zero_as_missing": Case(MANY_SETS | {"zero_as_missing": True}, categorical=(2, 5)),
    "sets of categories, use_missing=false": Case(MANY_SETS | {"use_missing": False}, categorical=(2, 5)),
    "one category per set": Case({"max_cat_to_onehot": 500, "min_data_per_group": 5}, categorical=(2, 5)),
    "only categorical features": Case(MANY_SETS, features=2, categorical=(0, 1)),
    "trees of one leaf": Case({"min_data_in_leaf": 3_000}),
    "a tree of one leaf after others": Case({}, rewrite=with_a_tree_of_one_leaf),
    **{f"decision type {kind}": Case({}, rewrite=with_decisions([kind])) for kind in NUMERICAL_DECISIONS},
    "all decision types": Case({"num_leaves": 255}, rewrite=with_decisions(NUMERICAL_DECISIONS)),
    "all decision types with categories": Case(
        MANY_SETS, categorical=(2, 5), rewrite=with_decisions(NUMERICAL_DECISIONS, CATEGORICAL_DECISIONS)
    ),
    "odd thresholds": Case({"num_leaves": 255}, rewrite=with_odd_thresholds),
    "68 features": Case({"num_leaves": 63, "objective": "regression_l1"}, features=68, rounds=30, rows=3_000),
}


@cache
def text_of(name: str) -> str:
    return CASES[name].text()


def hard_values(case: Case, text: str, rows: int = 2_000) -> Floats:
    """(rows, f): half of the numbers stand on a threshold of their feature or next to it, a quarter is odd."""
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(rows, case.features)).astype(np.float32)
    trees = read_forest(text).trees
    for feature in range(case.features):
        column = matrix[:, feature]
        if feature in case.categorical:
            column[:] = rng.integers(0, CATEGORIES + 20, rows)
            _put(rng, column, np.concatenate([VALUES_OF_CATEGORIES, BEYOND_CATEGORIES]), 0.4)
            continue
        bounds = np.concatenate([tree.threshold[(tree.feature == feature) & ~tree.is_categorical] for tree in trees])
        with np.errstate(over="ignore"):
            bounds = bounds.astype(np.float32)
            near = [bounds, *(np.nextafter(bounds, np.float32(towards)) for towards in (-np.inf, np.inf))]
        if len(bounds):
            _put(rng, column, np.concatenate(near), 0.5)
        _put(rng, column, NUMBERS, 0.25)
    return matrix


def _put(rng: np.random.Generator, column: Floats, values: Floats, share: float) -> None:
    chosen = rng.random(len(column)) < share
    column[chosen] = rng.choice(values, chosen.sum())
