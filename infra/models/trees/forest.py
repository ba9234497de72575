"""A LightGBM model as arrays, read from its own text form, for inputs that are float32.

LightGBM compares the input as a double with a double threshold, after it has set magnitudes up to 1e-35 to zero
(``kZeroThreshold``). Both are folded into one float32 bound per split, so that ``x <= bound`` is exactly
LightGBM's ``double(x) <= threshold`` for every float32 x.

    ValueError
    └── Unsupported  a model with parts that are not translated; it has to be scored by LightGBM
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from infra.models.ranker import Doubles, Floats

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

TINY = np.float32(1e-35)  # magnitudes up to this are zero to LightGBM
BELOW_TINY = np.nextafter(-TINY, np.float32(-np.inf))
DEFAULT_LEFT, CATEGORICAL = 2, 1  # bits of decision_type; the two above them are the kind of missing value
ZERO_IS_MISSING, NAN_IS_MISSING = 1, 2
# Objectives whose prediction is the sum of the leaves and nothing more; "" is one of the user's own.
SUMS = {"", "lambdarank", "rank_xendcg", "regression", "regression_l1", "huber", "fair", "quantile", "mape"}


class Unsupported(ValueError):
    """The model has parts that are not translated."""


@dataclass(frozen=True)
class Tree:
    """``feature``, ``threshold``, ``decision``, ``left``, ``right``: (s,), one per split, parents before children.

    A child below zero is leaf ``~child``; ``leaves``: (s + 1,) float64. A tree without splits is its one leaf.
    """

    feature: Integers
    threshold: Doubles
    decision: Integers
    left: Integers
    right: Integers
    leaves: Doubles

    @cached_property
    def bound(self) -> Floats:
        """(s,) the largest float32 that goes left."""
        with np.errstate(over="ignore"):  # LightGBM writes an infinite threshold as 1e300
            nearest = self.threshold.astype(np.float32)
            below = np.nextafter(nearest, np.float32(-np.inf))
        floor = np.where(nearest.astype(np.float64) > self.threshold, below, nearest)
        return np.where(self.threshold >= 0, np.maximum(floor, TINY), np.minimum(floor, BELOW_TINY)).astype(np.float32)

    @cached_property
    def missing(self) -> Integers:
        """(s,) what counts as missing: nothing (NaN is then 0), zero and NaN, or NaN."""
        return (self.decision >> 2) & 3

    @cached_property
    def nan_left(self) -> Flags:
        """(s,) whether NaN goes left."""
        default_left = (self.decision & DEFAULT_LEFT) != 0
        return np.where(self.missing == 0, self.threshold >= 0, default_left)


@dataclass(frozen=True)
class Forest:
    features: int
    trees: tuple[Tree, ...]


def read_forest(text: str) -> Forest:
    """From ``Booster.model_to_string()``. Raises Unsupported."""
    head, *blocks = text.split("\nend of trees")[0].split("\nTree=")
    header = _fields(head)
    objective = header.get("objective", "")
    if header.get("num_class") != "1" or header.get("num_tree_per_iteration") != "1":
        raise Unsupported("the model has several classes")
    if "average_output" in head.splitlines():
        raise Unsupported("the model averages its trees")
    if (objective.split() or [""])[0] not in SUMS or "sqrt" in objective:
        raise Unsupported(f"the scores of objective {objective!r} are not the sum of the leaves")
    features = int(header["max_feature_idx"]) + 1
    return Forest(features, tuple(_tree(_fields(block)) for block in blocks))


def _tree(fields: dict[str, str]) -> Tree:
    if fields.get("num_cat") != "0":
        raise Unsupported("the model has categorical splits")
    if fields.get("is_linear", "0") != "0":
        raise Unsupported("the model has linear leaves")
    feature, decision, left, right = (
        np.array(fields.get(name, "").split(), dtype=np.int64)
        for name in ("split_feature", "decision_type", "left_child", "right_child")
    )
    threshold, leaves = (
        np.array(fields.get(name, "").split(), dtype=np.float64) for name in ("threshold", "leaf_value")
    )
    own = np.arange(len(feature))
    inner = (left[left >= 0], own[left >= 0]), (right[right >= 0], own[right >= 0])
    if len(leaves) != len(feature) + 1 or any((child <= parent).any() for child, parent in inner):
        raise Unsupported("a tree's splits are not in LightGBM's order")
    return Tree(feature, threshold, decision, left, right, leaves)


def _fields(block: str) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition("=") for line in block.splitlines())}
