"""A compiled forest in memory, ready to be called."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from infra.models.ranker import Doubles, Floats
from infra.models.trees.forest import Forest
from infra.models.trees.machine_code import MachineCode
from infra.models.trees.tree_code import ENTRY, PACK, ROWS, bounds_of

LINE = 64  # bytes of a cache line, and of the widest vector


class NativeForest:
    """Machine code and the tables it reads. One thread per call; any number of calls at once."""

    def __init__(self, forest: Forest, code: bytes) -> None:
        """``code``: from :func:`tree_code.object_code` for this forest, on this machine; it is executed."""
        self._code = MachineCode(code)
        pointer, size = ctypes.c_void_p, ctypes.c_int64
        self._call = self._function(ENTRY, pointer, pointer, size, pointer, pointer, pointer)
        self._pack = self._function(PACK, pointer, size, pointer, size)
        most = max((len(tree.leaves) for tree in forest.trees), default=0)
        self._tables: tuple[npt.NDArray[Any], ...] = (
            bounds_of(forest),
            np.arange(most, dtype=np.int32),
            np.concatenate([np.empty(0), *(tree.leaves for tree in forest.trees)]),
        )
        self._pointers = tuple(table.ctypes.data for table in self._tables)

    def score(self, matrix: Floats) -> Doubles:
        """(n, f) float32 -> (n,) float64, the sums of the trees."""
        rows, features = matrix.shape
        whole, rest = divmod(rows, ROWS)
        blocks = whole + (rest > 0)
        packed = _aligned(blocks * features * ROWS, np.float32).reshape(blocks, features, ROWS)
        if matrix.T.flags.c_contiguous and whole:  # column by column, as the matrix of a slate is
            self._pack(matrix.ctypes.data, rows, packed.ctypes.data, whole)
        else:
            packed[:whole] = matrix[: whole * ROWS].reshape(whole, ROWS, features).transpose(0, 2, 1)
        if rest:
            packed[whole, :, :rest] = matrix[whole * ROWS :].T  # the lanes beyond hold anything, and nobody reads them
        scores = _aligned(blocks * ROWS, np.float64)
        scores.fill(0.0)
        if blocks:
            self._call(packed.ctypes.data, scores.ctypes.data, blocks, *self._pointers)
        return scores[:rows]

    def _function(self, name: str, *arguments: type[Any]) -> Any:
        return ctypes.CFUNCTYPE(None, *arguments)(self._code.address(name))


def _aligned(size: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Uninitialised, starting on a cache line."""
    wanted = size * np.dtype(dtype).itemsize
    raw = np.empty(wanted + LINE, dtype=np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + wanted].view(dtype)
