"""Negative items, drawn with replacement. The probability of an item is proportional to support^alpha."""

from __future__ import annotations

import numpy as np

from training.gru4rec.sessions.processed import Longs

DRAWN_AT_ONCE = 1_000_000


class NegativeSampler:
    """``counts``: (n_items,) support. ``alpha`` 0 draws uniformly, 1 by support."""

    def __init__(self, counts: Longs, n_samples: int, alpha: float, seed: tuple[int, ...]) -> None:
        self.n_samples = n_samples
        self._cumulative = np.cumsum(np.maximum(counts, 1).astype(np.float64) ** alpha)
        self._random = np.random.default_rng(seed)
        self._pool: Longs = np.empty((0, n_samples), np.int64)
        self._used = 0

    def draw(self) -> Longs:
        """(n_samples,) items."""
        if self._used == len(self._pool):
            self._pool, self._used = self._fill(), 0
        drawn: Longs = self._pool[self._used]
        self._used += 1
        return drawn

    def _fill(self) -> Longs:
        """Many draws at once, which is faster, because the table stays in the CPU cache."""
        steps = max(1, DRAWN_AT_ONCE // max(1, self.n_samples))
        uniform = self._random.random((steps, self.n_samples)) * self._cumulative[-1]
        found: Longs = np.searchsorted(self._cumulative, uniform, side="right").astype(np.int64)
        return np.minimum(found, len(self._cumulative) - 1)  # rounding may give the end of the table
