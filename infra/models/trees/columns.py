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

    ``goes_right``: (stop - start, categories + 1) float32, 0 or 1; the last is for all other values.
    """

    feature: int
    start: int
    stop: int
    goes_right: Floats

    def prepare(self, values: Floats, columns: Floats) -> None:
        """(n,) -> written into (stop - start, n). LightGBM cuts a value down to an integer: -0.9 is category 0."""
        other = self.goes_right.shape[1] - 1
        is_category = (values > -1) & (values < other)  # False of NaN
        category = np.where(is_category, values, other).astype(np.int64)
        if (category == category[:1]).all():  # as the context of a slate: ten times faster
            columns[:] = self.goes_right[:, category[:1]]
        else:
            np.take(self.goes_right, category, axis=1, out=columns, mode="clip")  # "raise" would make a copy


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
        columns = np.take(matrix.T, self.features, axis=0)  # (c, n)
        nan_left, zero_left, zero_right, categorical = self.starts[1:]
        zero = columns[zero_left:categorical]
        np.copyto(zero, np.float32(np.nan), where=np.abs(zero) <= TINY)
        left = columns[nan_left:zero_right]
        np.fmax(left, np.float32(-np.inf), out=left)  # of NaN and a number fmax returns the number
        for each in self.categories:
            each.prepare(matrix[:, each.feature], columns[each.start : each.stop])
        return _blocks(columns)


def _blocks(columns: Floats) -> Floats:
    """(c, n) -> (blocks, c, LANES)."""
    count, rows = columns.shape
    whole, rest = divmod(rows, LANES)
    packed: Floats = aligned((whole + (rest > 0), count, LANES), np.float32)
    packed[:whole] = columns[:, : whole * LANES].reshape(count, whole, LANES).transpose(1, 0, 2)
    if rest:
        packed[whole, :, :rest] = columns[:, whole * LANES :]
    return packed


def aligned(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Uninitialised, starting on a cache line."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(size + LINE, dtype=np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + size].view(dtype).reshape(shape)
