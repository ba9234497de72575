"""A forest as the arrays that the kernel reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from infra.models.arrays import Doubles, Integers
from infra.models.trees.columns import (
    CATEGORICAL,
    LANES,
    NAN_LEFT,
    NAN_RIGHT,
    ZERO_LEFT,
    ZERO_RIGHT,
    Categories,
    Columns,
)
from infra.models.trees.forest import MAX_LEAVES, ZERO_MISSING, Forest, Tree

MAX_COLUMNS = 2**16  # a block of rows is then 16 MB, and every offset in it fits 32 bits
MAX_CELLS = 2**22  # (set, category) pairs of one categorical feature, 4 bytes each
COLUMN_BYTES = LANES * np.dtype(np.float32).itemsize
# The kernel's scratch array has a row of LANES bytes for each split and, from row MAX_LEAVES on, for each leaf.
SCRATCH_BYTES = 2 * MAX_LEAVES * LANES
# ``column`` is an offset in bytes in a block of rows, ``left`` and ``right`` in the scratch array.
SPLIT = np.dtype([("column", "i4"), ("left", "i4"), ("right", "i4"), ("bound", "f4")])
KIND, FEATURE, SET = range(3)  # what makes two splits read the same column


class Unsupported(ValueError):
    """The kernel cannot represent the model; LightGBM can score it."""


@dataclass(frozen=True)
class Tables:
    """``sizes``: (t,) int32, the splits of each tree. ``splits``: (s,) SPLIT, tree after tree, last split first.

    ``leaves``: (s + t,) float64, tree after tree. Raises ValueError where the kernel would read beyond an array.
    """

    columns: Columns
    sizes: npt.NDArray[np.int32]
    splits: npt.NDArray[Any]
    leaves: Doubles

    def __post_init__(self) -> None:
        splits, trees = int(self.sizes.sum()), len(self.sizes)
        expected = (
            (self.sizes, np.int32, trees),
            (self.splits, SPLIT, splits),
            (self.leaves, np.float64, splits + trees),
        )
        if any(a.dtype != dtype or a.shape != (size,) or not a.flags.c_contiguous for a, dtype, size in expected):
            raise ValueError("the tables have other dtypes or lengths than the kernel reads")
        ends = {"column": len(self.columns.features) * COLUMN_BYTES, "left": SCRATCH_BYTES, "right": SCRATCH_BYTES}
        if any(((self.splits[name] < 0) | (self.splits[name] >= end)).any() for name, end in ends.items()):
            raise ValueError("a split has an offset outside the arrays that the kernel reads")


def tables_of(forest: Forest) -> Tables:
    """Raises Unsupported."""
    if forest.unsupported:
        raise Unsupported(forest.unsupported)
    sets: dict[bytes, int] = {}
    keys = np.concatenate([np.empty((0, 3), np.int64), *(_keys(tree, sets) for tree in forest.trees)])
    splits = np.concatenate([np.empty(0, SPLIT), *(_splits(tree) for tree in forest.trees)])
    shape = (CATEGORICAL + 1, forest.features, len(sets) + 1)
    codes, column = np.unique(np.ravel_multi_index(tuple(keys.T), shape), return_inverse=True)
    distinct = np.stack(np.unravel_index(codes, shape), axis=1)  # (c, 3)
    if len(distinct) > MAX_COLUMNS:
        raise Unsupported(f"the splits need {len(distinct)} columns, the kernel takes {MAX_COLUMNS}")
    splits["column"] = column * COLUMN_BYTES
    return Tables(
        columns=Columns(
            width=forest.features,
            features=distinct[:, FEATURE],
            starts=np.searchsorted(distinct[:, KIND], np.arange(CATEGORICAL + 1)),
            categories=tuple(_categories(distinct, [np.frombuffer(each, np.uint8) for each in sets])),
        ),
        sizes=np.array([len(tree.feature) for tree in forest.trees], dtype=np.int32),
        splits=splits,
        leaves=np.concatenate([np.empty(0), *(tree.leaves for tree in forest.trees)]),
    )


def _keys(tree: Tree, sets: dict[bytes, int]) -> Integers:
    """(s, 3): kind, feature and set of each split, last split first. ``sets`` numbers the sets; new ones are added."""
    is_zero = tree.missing == ZERO_MISSING
    kind = np.where(tree.nan_left, np.where(is_zero, ZERO_LEFT, NAN_LEFT), np.where(is_zero, ZERO_RIGHT, NAN_RIGHT))
    numbers = np.zeros(len(kind), np.int64)
    for i in np.flatnonzero(tree.is_categorical):
        content = tree.sets[int(tree.threshold[i])].tobytes()
        kind[i], numbers[i] = CATEGORICAL, sets.setdefault(content, len(sets))
    return np.stack([kind, tree.feature, numbers], axis=1)[::-1]


def _splits(tree: Tree) -> npt.NDArray[Any]:
    """(s,) SPLIT without the columns, last split first."""
    rows = np.zeros(len(tree.feature), SPLIT)
    rows["left"], rows["right"] = (
        np.where(side >= 0, side, MAX_LEAVES + ~side) * LANES for side in (tree.left, tree.right)
    )
    rows["bound"] = np.where(tree.is_categorical, np.float32(0.5), tree.bound)
    return rows[::-1]


def _categories(distinct: Integers, sets: list[npt.NDArray[np.uint8]]) -> Iterator[Categories]:
    """Raises Unsupported."""
    categorical = distinct[:, KIND] == CATEGORICAL
    for feature in np.unique(distinct[categorical, FEATURE]):
        columns = np.flatnonzero(categorical & (distinct[:, FEATURE] == feature))
        own = [np.unpackbits(sets[number], bitorder="little") for number in distinct[columns, SET]]
        categories = max(len(bits) for bits in own)
        if len(own) * (categories + 1) > MAX_CELLS:
            raise Unsupported(
                f"the {len(own)} sets of categorical feature {feature} have up to {categories} categories, "
                f"the kernel takes {MAX_CELLS} in all"
            )
        goes_right = np.ones((len(own), categories + 1), np.float32)
        for row, bits in zip(goes_right, own, strict=True):
            row[: len(bits)] -= bits
        yield Categories(int(feature), int(columns[0]), int(columns[-1]) + 1, np.ascontiguousarray(goes_right.T))
