"""Popularity: the items by their number of occurrences in train, the same list for every session."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.gru4rec.next_item import Items
from training.gru4rec.sessions.processed import Sessions


@dataclass(frozen=True)
class Popularity:
    """``counts``: (n_items,) occurrences in train."""

    counts: npt.NDArray[np.float64]
    name: str = "popularity"

    @staticmethod
    def fit(train: Sessions, n_items: int) -> Popularity:
        return Popularity(np.bincount(train.items, minlength=n_items).astype(np.float64))

    def scores(self, session: Items) -> npt.NDArray[np.float64]:
        """(length, n_items), read-only: a view that shows one row ``length`` times."""
        return np.broadcast_to(self.counts, (len(session), len(self.counts)))


def tie_breaker(train: Sessions, n_items: int) -> npt.NDArray[np.float64]:
    """(n_items,) in [0, 1): popularity, for models whose scores are whole numbers or mostly 0.

    Ties count against a model, and without this most items of such a model would be tied.
    """
    counts = np.bincount(train.items, minlength=n_items)
    shares: npt.NDArray[np.float64] = counts / (counts.sum() + 1.0)
    return shares
