"""Rows of items with weights, and the items that several rows together have the most weight for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from feature_repo.candidates.item_codes import Codes
from feature_repo.candidates.ragged import Ragged
from feature_repo.candidates.source import Candidates, load_array, save_arrays
from infra.models.arrays import Floats, Integers

QUERIES_AT_ONCE = 512


@dataclass(frozen=True)
class SparseTable:
    """``lists.slice(row)`` are the items of a row.

    items:   (m,) codes below ``columns``, each at most once per row
    weights: (m,) float32
    """

    lists: Ragged
    items: Codes
    weights: Floats
    columns: int

    @cached_property
    def matrix(self) -> Any:
        """(rows, columns) float64, so that sums do not depend on how scores of few digits are rounded."""
        return csr_matrix(
            (self.weights.astype(np.float64), self.items, self.lists.starts), shape=(len(self.lists), self.columns)
        )

    def best(self, of: Ragged, rows: Integers, weights: npt.NDArray[Any], k: int, below: float = np.inf) -> Candidates:
        """The ``k`` best items for each of q weighted lists of rows; only items with a score above 0 and ``below``.

        of:      where the rows of each query lie
        rows:    (m,) rows of the table; a row may occur twice
        weights: (m,) an item's score is the sum of weight times the row's weight
        """
        parts = []
        for start in range(0, max(len(of), 1), QUERIES_AT_ONCE):
            starts = of.starts[start : start + QUERIES_AT_ONCE + 1]
            entries = slice(int(starts[0]), int(starts[-1]))
            asked = csr_matrix(
                (np.asarray(weights[entries], np.float64), rows[entries], starts - starts[0]),
                shape=(len(starts) - 1, len(self.lists)),
            )
            found = asked @ self.matrix
            queries = np.repeat(np.arange(len(starts) - 1), np.diff(found.indptr))
            used = (found.data > 0) & (found.data < below)
            parts.append(Candidates.best(queries[used], found.indices[used], found.data[used], len(starts) - 1, k))
        return Candidates.concatenated(parts)

    def save(self, folder: Path, name: str) -> None:
        save_arrays(
            folder,
            {f"{name}_starts": self.lists.starts, f"{name}_items": self.items, f"{name}_weights": self.weights},
        )

    @staticmethod
    def load(folder: Path, name: str, columns: int) -> SparseTable:
        """Raises OSError or ValueError."""
        starts, items, weights = (load_array(folder, f"{name}_{part}") for part in ("starts", "items", "weights"))
        if not (len(items) == len(weights) == starts[-1] and (items < columns).all() and (items >= 0).all()):
            raise ValueError(f"{folder}/{name}_*.npy do not fit together")
        return SparseTable(Ragged(starts), items, weights, columns)


def row_blocks(work: Integers, limit: int) -> Iterator[slice]:
    """Consecutive rows whose ``work`` (n,) sums to about ``limit``: their product with a matrix fits in memory."""
    blocks = np.cumsum(work) // limit
    borders = np.flatnonzero(np.diff(blocks, prepend=-1, append=-1))
    for start, end in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
        yield slice(start, end)
