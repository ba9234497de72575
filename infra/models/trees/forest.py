"""A LightGBM model as arrays, read from its own text form. Every index in them is checked here, once.

This comes before LightGBM reads the text, because LightGBM checks no index: a split on feature 9 of 4 makes it write
outside its memory.

LightGBM compares the input as a double with a double threshold, after it has set magnitudes up to 1e-35 to zero
(``kZeroThreshold``). Both are folded into one float32 bound per split, so that ``x <= bound`` is exactly
LightGBM's ``double(x) <= threshold`` for every float32 x.

    ValueError
    └── DamagedTrees  the text is malformed, or its trees point outside the model
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from infra.models.arrays import Doubles, Floats, Integers

Flags = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint32]

TINY = np.float32(1e-35)  # magnitudes up to this are zero to LightGBM
BELOW_TINY = np.nextafter(-TINY, np.float32(-np.inf))
CATEGORICAL, DEFAULT_LEFT = 1, 2  # bits of decision_type; the two bits above are one of the three below
NOTHING_MISSING, ZERO_MISSING, NAN_MISSING = 0, 1, 2
MAX_LEAVES = 256  # of one tree: the kernel holds a leaf's number in a byte
# Objectives whose prediction is the sum of the leaves and nothing more; "" is an objective of the user's own.
SUMS = {"", "lambdarank", "rank_xendcg", "regression", "regression_l1", "huber", "fair", "quantile", "mape"}


class DamagedTrees(ValueError):
    """The text is malformed, or its trees point outside the model."""


@dataclass(frozen=True)
class Tree:
    """``feature``, ``threshold``, ``decision``, ``left``, ``right``: (s,), one per split, parents before children.

    A child below zero is leaf ``~child``. ``leaves``: (s + 1,) float64; a tree without splits is its one leaf.
    The threshold of a categorical split is the row number of its set in ``sets``: bit ``c % 32`` of word ``c // 32``
    is set where category c goes left.
    """

    feature: Integers
    threshold: Doubles
    decision: Integers
    left: Integers
    right: Integers
    leaves: Doubles
    sets: tuple[Words, ...] = ()

    @cached_property
    def bound(self) -> Floats:
        """(s,) the greatest float32 that goes left."""
        with np.errstate(over="ignore"):  # LightGBM writes an infinite threshold as 1e300
            nearest = self.threshold.astype(np.float32)
            below = np.nextafter(nearest, np.float32(-np.inf))
        floor = np.where(nearest.astype(np.float64) > self.threshold, below, nearest)
        return np.where(self.threshold >= 0, np.maximum(floor, TINY), np.minimum(floor, BELOW_TINY)).astype(np.float32)

    @cached_property
    def is_categorical(self) -> Flags:
        flags: Flags = (self.decision & CATEGORICAL) != 0
        return flags

    @cached_property
    def missing(self) -> Integers:
        """(s,) what counts as missing: nothing (NaN is then 0), zero and NaN, or NaN."""
        return (self.decision >> 2) & 3

    @cached_property
    def nan_left(self) -> Flags:
        """(s,) whether NaN goes left, at a numerical split."""
        default_left = (self.decision & DEFAULT_LEFT) != 0
        return np.where(self.missing == NOTHING_MISSING, self.threshold >= 0, default_left)


@dataclass(frozen=True)
class Forest:
    """``unsupported``: why the kernel cannot represent the model; empty where it can."""

    features: int
    trees: tuple[Tree, ...]
    unsupported: str = ""


def read_forest(text: str) -> Forest:
    """From LightGBM's text, as in model.txt or from ``Booster.model_to_string()``. Raises DamagedTrees."""
    head, *blocks = text.split("\nend of trees")[0].split("\nTree=")
    header, fields = _fields(head), [_fields(block) for block in blocks]
    try:
        features = int(header["max_feature_idx"]) + 1
    except (KeyError, ValueError) as error:
        raise DamagedTrees(f"max_feature_idx, the model's number of features, cannot be read: {error}") from error
    trees = tuple(_tree(number, each, features) for number, each in enumerate(fields))
    return Forest(features, trees, _unsupported(header, fields, trees))


def _unsupported(header: dict[str, str], fields: list[dict[str, str]], trees: tuple[Tree, ...]) -> str:
    objective = header.get("objective", "")
    max_leaves = max((len(tree.leaves) for tree in trees), default=0)
    if header.get("num_class") != "1" or header.get("num_tree_per_iteration") != "1":
        return "the model has several classes"
    if "average_output" in header:
        return "the model averages its trees"
    if (objective.split() or [""])[0] not in SUMS or "sqrt" in objective:
        return f"the scores of objective {objective!r} are not the sum of the leaves"
    if any(each.get("is_linear", "0") != "0" for each in fields):
        return "the model has linear leaves"
    if max_leaves > MAX_LEAVES:
        return f"the model has a tree of {max_leaves} leaves, the kernel takes {MAX_LEAVES}"
    return ""


def _tree(number: int, fields: dict[str, str], features: int) -> Tree:
    try:
        tree = _parsed(fields)
    except (KeyError, ValueError, OverflowError) as error:
        raise DamagedTrees(f"tree {number} cannot be read: {error}") from error
    if problem := _problem(tree, features):
        raise DamagedTrees(f"tree {number} is damaged: {problem}")
    return tree


def _parsed(fields: dict[str, str]) -> Tree:
    """Raises KeyError, ValueError or OverflowError."""

    def integers(name: str) -> Integers:
        return np.array([int(each) for each in fields[name].split()], dtype=np.int64)

    def doubles(name: str) -> Doubles:
        return np.array([float(each) for each in fields[name].split()], dtype=np.float64)

    has_sets = int(fields["num_cat"]) > 0
    tree = Tree(
        feature=integers("split_feature"),
        threshold=doubles("threshold"),
        decision=integers("decision_type"),
        left=integers("left_child"),
        right=integers("right_child"),
        leaves=doubles("leaf_value"),
        sets=_sets(integers("cat_threshold"), integers("cat_boundaries")) if has_sets else (),
    )
    if (len(tree.leaves), len(tree.sets)) != (int(fields["num_leaves"]), int(fields["num_cat"])):
        raise ValueError("num_leaves or num_cat differs from the arrays")
    return tree


def _sets(words: Integers, ends: Integers) -> tuple[Words, ...]:
    """``ends``: (sets + 1,), where each set begins and, last, where the words end. Raises ValueError."""
    if not len(ends) or ends[0] != 0 or ends[-1] != len(words) or (np.diff(ends) < 0).any():
        raise ValueError("cat_boundaries do not cut cat_threshold into sets")
    if ((words < 0) | (words >= 2**32)).any():
        raise ValueError("cat_threshold has a number outside 32 bits")
    return tuple(np.split(words.astype(np.uint32), ends[1:-1]))


def _problem(tree: Tree, features: int) -> str:
    """What points outside the tree or the row, as a sentence; empty where nothing does."""
    splits = len(tree.feature)
    arrays = (tree.threshold, tree.decision, tree.left, tree.right)
    if any(len(array) != splits for array in arrays) or len(tree.leaves) != splits + 1:
        return "its arrays have different lengths"
    if (outside := tree.feature[(tree.feature < 0) | (tree.feature >= features)]).size:
        return f"it splits feature {outside[0]}, but the model has {features} features"
    for side in (tree.left, tree.right):
        inner = side >= 0
        if (side >= splits).any() or (~side[~inner] > splits).any():
            return f"a child is not one of its {splits} splits and {splits + 1} leaves"
        if (side[inner] <= np.arange(splits)[inner]).any():
            return "a split leads back to itself or to a split before it"
    if ((tree.decision < 0) | (tree.decision > 15) | (tree.missing == 3)).any():
        return "a decision type is unknown"
    if np.isnan(tree.threshold).any():
        return "a threshold is NaN"
    chosen = tree.threshold[tree.is_categorical]
    if ((chosen < 0) | (chosen >= len(tree.sets)) | (chosen != np.floor(chosen))).any():
        return f"a categorical split uses a set that is not one of its {len(tree.sets)} sets"
    return ""


def _fields(block: str) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition("=") for line in block.splitlines())}
