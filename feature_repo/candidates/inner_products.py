"""The vectors with the highest inner products with a query's vector, exactly."""

from __future__ import annotations

import numpy as np

from feature_repo.candidates.source import Candidates
from infra.models.arrays import Doubles, Floats

PRODUCTS_AT_ONCE = 16_000_000
EPSILON = float(np.finfo(np.float32).eps)


def best_products(vectors: Floats, asked: Doubles, k: int) -> Candidates:
    """The ``k`` best rows of ``vectors`` (n, f) for each of ``asked`` (q, f). Codes are row numbers.

    A product of float32 matrices finds all rows that may be among the best, and their scores are then computed in
    float64, one by one. So the answer does not depend on how the matrix product adds, nor on what else is asked.
    """
    n, f = vectors.shape
    if not n:
        return Candidates.none(len(asked))
    longest = float(np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=1)).max())
    parts = []
    at_once = max(1, PRODUCTS_AT_ONCE // n)
    for start in range(0, max(len(asked), 1), at_once):
        some = asked[start : start + at_once]
        near = some.astype(np.float32) @ vectors.T  # (some, n)
        # More than float32 can be wrong by: f roundings of the sum, and one of each factor.
        error = (f + 4) * EPSILON * longest * np.sqrt(np.square(some).sum(axis=1))
        kth = np.partition(near, n - k, axis=1)[:, n - k] if k < n else np.full(len(some), -np.inf)
        rows, found = np.nonzero(near >= (kth - 2 * error)[:, None])
        scores = (some[rows] * vectors[found]).sum(axis=1)
        parts.append(Candidates.best(rows, found.astype(np.int32), scores, len(some), k))
    return Candidates.concatenated(parts)
