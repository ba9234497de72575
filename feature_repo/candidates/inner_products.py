"""The vectors with the highest inner products with a query's vector, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from feature_repo.candidates.source import Candidates
from infra.models.arrays import Doubles, Floats, Integers

PRODUCTS_AT_ONCE = 16_000_000
NUMBERS_AT_ONCE = 8_000_000
EPSILON = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class InnerProducts:
    """``vectors``: (n, f) float32.

    A product of float32 matrices finds all rows that may be among the best. Their scores are then computed in float64,
    each by itself. So the answer does not depend on how the matrix product adds, nor on what else is asked.
    """

    vectors: Floats

    @cached_property
    def _longest(self) -> float:
        return float(np.sqrt(np.square(self.vectors, dtype=np.float64).sum(axis=1)).max(initial=0))

    def best(self, asked: Doubles, k: int) -> Candidates:
        """The ``k`` best rows for each of ``asked`` (q, f). The codes of the answer are row numbers."""
        n, f = self.vectors.shape
        if not n:
            return Candidates.none(len(asked))
        parts = []
        at_once = max(1, PRODUCTS_AT_ONCE // n)
        for start in range(0, max(len(asked), 1), at_once):
            some = asked[start : start + at_once]
            near = some.astype(np.float32) @ self.vectors.T  # (some, n)
            # More than float32 can be wrong by: f roundings of the sum, and one of each factor.
            error = (f + 4) * EPSILON * self._longest * np.sqrt(np.square(some).sum(axis=1))
            kth = np.partition(near, n - k, axis=1)[:, n - k] if k < n else np.full(len(some), -np.inf)
            rows, found = np.nonzero(near >= (kth - 2 * error)[:, None])
            scores = self._exact(some, rows, found)
            parts.append(Candidates.best(rows, found.astype(np.int32), scores, len(some), k))
        return Candidates.concatenated(parts)

    def _exact(self, asked: Doubles, rows: Integers, found: Integers) -> Doubles:
        """(m,) products of the pairs. In pieces, because of equal vectors nearly all pairs may be among the best."""
        pairs = max(1, NUMBERS_AT_ONCE // self.vectors.shape[1])
        scores = np.empty(len(rows))
        for start in range(0, len(rows), pairs):
            part = slice(start, start + pairs)
            scores[part] = (asked[rows[part]] * self.vectors[found[part]]).sum(axis=1)
        return scores
