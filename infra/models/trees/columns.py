"""The columns that the kernel compares: features, prepared so that ``x <= bound`` alone decides at every split.

One feature becomes as many columns as its splits treat missing values in different ways:

    kind         NaN becomes   values up to 1e-35 become   others
    NAN_RIGHT    NaN           as they are                 as they are
    NAN_LEFT     -infinity     as they are                 as they are
    ZERO_LEFT    -infinity     -infinity                   as they are
    ZERO_RIGHT   NaN           NaN                         as they are
    CATEGORICAL  1             0 where the category is in the split's set, else 1; the bound is 0.5

-infinity is at most every bound and NaN is at most none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from infra.models.arrays import Floats, Integers
from infra.models.trees.forest import TINY

LANES = 64  # rows side by side in the kernel, the fastest from 100 rows on (docs/compiled-trees.md)
LINE = 64  # bytes of a cache line, and of the widest vector
NAN_RIGHT, NAN_LEFT, ZERO_LEFT, ZERO_RIGHT, CATEGORICAL = range(5)


@dataclass(frozen=True)
class Categories:
    """Columns ``start`` to ``stop``, all of one categorical ``feature``.

    ``goes_right``: (categories + 1, stop - start) float32, 0 or 1; the last row is for all other values.
    """

    feature: int
    start: int
    stop: int
    goes_right: Floats

    def pack(self, values: Floats, packed: Floats) -> None:
        """(n,) -> written into (blocks, stop - start, LANES).

        LightGBM cuts a value down to an integer: -0.9 is category 0.
        """
        other = len(self.goes_right) - 1
        is_category = (values > -1) & (values < other)  # False of NaN
        category = np.full((len(packed), LANES), other)
        category.reshape(-1)[: len(values)] = np.where(is_category, values, other)
        for block, categories in zip(packed, category, strict=True):
            block[:] = self.goes_right[categories].T


@dataclass(frozen=True)
class Columns:
    """``features``: (c,) the feature of each column. ``starts``: (5,) the first column of each kind.

    Columns of one kind stand together, in the order of the kinds.
    """

    width: int  # features of the model
    features: Integers
    starts: Integers
    categories: tuple[Categories, ...]

    def packed(self, matrix: Floats) -> Floats:
        """(n, f) float32 -> (blocks, c, LANES), aligned. The rows beyond n hold anything. Raises ValueError."""
        if matrix.dtype != np.float32 or matrix.ndim != 2 or matrix.shape[1] != self.width:
            raise ValueError(f"the matrix must be (n, {self.width}) float32, not {matrix.shape} {matrix.dtype}")
        nan_left, zero_left, zero_right, categorical = self.starts[1:]
        columns = np.take(matrix.T, self.features[:categorical], axis=0)  # (categorical, n)
        zero = columns[zero_left:]
        np.copyto(zero, np.float32(np.nan), where=np.abs(zero) <= TINY)
        left = columns[nan_left:zero_right]
        np.fmax(left, np.float32(-np.inf), out=left)  # of NaN and a number fmax returns the number
        packed: Floats = aligned((-(-len(matrix) // LANES), len(self.features), LANES), np.float32)
        _into_blocks(columns, packed)
        for each in self.categories:
            each.pack(matrix[:, each.feature], packed[:, each.start : each.stop])
        return packed


def _into_blocks(columns: Floats, packed: Floats) -> None:
    """(c, n) -> the first c columns of (blocks, c or more, LANES)."""
    count, rows = columns.shape
    whole, rest = divmod(rows, LANES)
    packed[:whole, :count] = columns[:, : whole * LANES].reshape(count, whole, LANES).transpose(1, 0, 2)
    if rest:
        packed[whole, :count, :rest] = columns[:, whole * LANES :]


def aligned(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Uninitialised, starting on a cache line."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(size + LINE, dtype=np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + size].view(dtype).reshape(shape)
