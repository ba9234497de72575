"""Features become columns: what each kind does to unknown values, zeros and categories, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from infra.models.trees.columns import (
    CATEGORICAL,
    LANES,
    NAN_LEFT,
    NAN_RIGHT,
    ZERO_LEFT,
    ZERO_RIGHT,
    Categories,
    Columns,
    aligned,
)

NAN, INF = np.nan, np.inf
KINDS = Columns(
    width=2,
    features=np.array([1, 1, 1, 1, 0]),
    starts=np.array([0, 1, 2, 3, 4]),
    categories=(Categories(0, 4, 5, np.array([[1], [0], [0], [1]], np.float32)),),  # 1 and 2 go left
)


@pytest.mark.parametrize(
    ("kind", "value", "column"),
    [
        *((kind, 2.5, 2.5) for kind in (NAN_RIGHT, NAN_LEFT, ZERO_LEFT, ZERO_RIGHT)),
        *((kind, INF, INF) for kind in (NAN_RIGHT, NAN_LEFT, ZERO_LEFT, ZERO_RIGHT)),
        (NAN_RIGHT, NAN, NAN),
        (NAN_LEFT, NAN, -INF),
        (ZERO_LEFT, NAN, -INF),
        (ZERO_RIGHT, NAN, NAN),
        (NAN_RIGHT, 0.0, 0.0),
        (NAN_LEFT, 0.0, 0.0),
        (ZERO_LEFT, -0.0, -INF),
        (ZERO_LEFT, 1e-35, -INF),
        (ZERO_LEFT, -1e-36, -INF),
        (ZERO_LEFT, 1.1e-35, 1.1e-35),
        (ZERO_RIGHT, 0.0, NAN),
        (ZERO_RIGHT, -1e-35, NAN),
        (ZERO_RIGHT, -1.1e-35, -1.1e-35),
        *((CATEGORICAL, value, 0.0) for value in (1, 1.9, 2, 2.9)),
        *((CATEGORICAL, value, 1.0) for value in (-1, -0.9, 0, 0.9, 3, 4, 1e30, -1e30, INF, -INF, NAN)),
    ],
)
def test_each_kind_of_column_prepares_a_value_in_its_way(kind: int, value: float, column: float) -> None:
    row = np.array([[value, 7.0] if kind == CATEGORICAL else [7.0, value]], np.float32)
    assert KINDS.packed(row)[0, kind, 0] == pytest.approx(np.float32(column), rel=0, abs=0, nan_ok=True)


@pytest.mark.parametrize("categories", [[1, 1, 1], [1, 3, 0], [NAN, NAN], [0], []])
def test_rows_of_one_category_and_of_several_are_prepared_alike(categories: list[float]) -> None:
    goes_right = np.array([[1, 0], [0, 1], [0, 0], [1, 1]], np.float32)
    both = Columns(2, np.array([0, 0]), np.zeros(5, int), (Categories(0, 0, 2, goes_right),))
    rows = np.array([[value, 7.0] for value in categories], np.float32).reshape(-1, 2)
    alone = [goes_right[3 if np.isnan(value) else int(value)].tolist() for value in categories]
    packed = both.packed(rows)
    assert [packed[0, :, lane].tolist() for lane in range(len(rows))] == alone


def test_rows_stand_side_by_side_in_blocks() -> None:
    plain = Columns(2, np.array([1, 0]), np.array([0, 2, 2, 2, 2]), ())
    matrix = np.arange(2 * (LANES + 3), dtype=np.float32).reshape(-1, 2)
    packed = plain.packed(matrix)
    assert packed.shape == (2, 2, LANES)
    assert packed.ctypes.data % 64 == 0
    for row, (first, second) in enumerate(matrix):
        assert packed[row // LANES, :, row % LANES].tolist() == [second, first]


def test_an_aligned_array_starts_on_a_cache_line() -> None:
    for shape in ((1, 1), (5, 7), (64, 3)):
        found = aligned(shape, np.float64)
        assert (found.shape, found.dtype, found.ctypes.data % 64) == (shape, np.float64, 0)
