"""A forest as the kernel's tables, worked out by hand; and the models that would need too large ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from infra.models.trees import tables
from infra.models.trees.columns import CATEGORICAL, LANES, NAN_LEFT, NAN_RIGHT
from infra.models.trees.forest import MAX_LEAVES, Forest, Tree
from infra.models.trees.tables import Tables, Unsupported, tables_of

TREE = Tree(  # feature 2 <= 0.5 ? leaf 0 : (feature 0 in {1, 33} ? leaf 1 : leaf 2)
    feature=np.array([2, 0]),
    threshold=np.array([0.5, 0.0]),
    decision=np.array([8 | 2, 1]),  # NaN is missing and goes left; categorical
    left=np.array([~0, ~1]),
    right=np.array([1, ~2]),
    leaves=np.array([0.1, 0.2, 0.3]),
    sets=(np.array([2, 2], np.uint32),),
)
NONE = np.empty(0, np.int64)
LEAF = Tree(NONE, np.empty(0), NONE, NONE, NONE, np.array([0.7]))


def test_splits_become_offsets_and_bounds_last_split_first() -> None:
    found = tables_of(Forest(3, (LEAF, TREE)))
    assert found.sizes.tolist() == [0, 2]
    assert found.leaves.tolist() == [0.7, 0.1, 0.2, 0.3]
    leaf = [(MAX_LEAVES + number) * LANES for number in range(3)]
    column = LANES * 4
    assert found.splits.tolist() == [(column, leaf[1], leaf[2], 0.5), (0, leaf[0], LANES, 0.5)]


def test_splits_that_treat_a_feature_alike_share_a_column() -> None:
    other = replace(TREE, decision=np.array([8, 1]))  # NaN goes right
    found = tables_of(Forest(3, (TREE, other, TREE))).columns
    assert found.features.tolist() == [2, 2, 0]
    assert found.starts[[NAN_RIGHT, NAN_LEFT, CATEGORICAL]].tolist() == [0, 1, 2]
    (categories,) = found.categories
    assert (categories.feature, categories.start, categories.stop) == (0, 2, 3)
    assert np.flatnonzero(categories.goes_right[:, 0] == 0).tolist() == [1, 33]
    assert categories.goes_right.shape == (65, 1)


def test_sets_of_different_lengths_stand_in_one_table() -> None:
    longer = replace(TREE, sets=(np.array([1, 0, 1], np.uint32),))
    (categories,) = tables_of(Forest(3, (TREE, longer))).columns.categories
    assert [np.flatnonzero(row == 0).tolist() for row in categories.goes_right.T] == [[1, 33], [0, 64]]


def test_an_unsupported_forest_is_refused_with_its_reason() -> None:
    with pytest.raises(Unsupported, match="the model has linear leaves"):
        tables_of(Forest(3, (TREE,), "the model has linear leaves"))


def test_too_many_columns_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_COLUMNS", 1)
    with pytest.raises(Unsupported, match="the splits need 2 columns, the kernel takes 1"):
        tables_of(Forest(3, (TREE,)))


def test_too_many_categories_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_CELLS", 64)
    with pytest.raises(Unsupported, match="the 1 sets of categorical feature 0 have up to 64 categories"):
        tables_of(Forest(3, (TREE,)))


@pytest.mark.parametrize(
    "changes",
    [
        lambda tables: {"sizes": tables.sizes.astype(np.int64)},
        lambda tables: {"sizes": tables.sizes + np.int32(1)},
        lambda tables: {"splits": tables.splits[:-1]},
        lambda tables: {"splits": tables.splits[::-1]},
        lambda tables: {"leaves": tables.leaves[1:].copy()},
        lambda tables: {"leaves": tables.leaves.astype(np.float32)},
        lambda tables: {"leaves": tables.leaves[:, None]},
    ],
)
def test_tables_that_do_not_fit_together_are_refused(changes: Callable[[Tables], dict[str, Any]]) -> None:
    tables = tables_of(Forest(3, (LEAF, TREE)))
    with pytest.raises(ValueError, match="other dtypes or lengths than the kernel reads"):
        replace(tables, **changes(tables))


@pytest.mark.parametrize("name", ["column", "left", "right"])
@pytest.mark.parametrize("offset", [-1, 2 * MAX_LEAVES * LANES])
def test_an_offset_outside_the_kernels_arrays_is_refused(name: str, offset: int) -> None:
    tables = tables_of(Forest(3, (LEAF, TREE)))
    splits = tables.splits.copy()
    splits[name][1] = offset
    with pytest.raises(ValueError, match="an offset outside the arrays that the kernel reads"):
        replace(tables, splits=splits)
