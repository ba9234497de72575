"""The same list for everybody: items by how often they occur in train."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.gru4rec.next_item import Items
from training.gru4rec.sessions.processed import Sessions


@dataclass(frozen=True)
class Popularity:
    """counts: (n_items,) occurrences in train."""

    counts: npt.NDArray[np.float64]
    name: str = "popularity"

    @staticmethod
    def fit(train: Sessions, n_items: int) -> Popularity:
        return Popularity(np.bincount(train.items, minlength=n_items).astype(np.float64))

    def scores(self, session: Items) -> npt.NDArray[np.float64]:
        """(length, n_items), one row seen ``length`` times: read only."""
        return np.broadcast_to(self.counts, (len(session), len(self.counts)))


def tie_breaker(train: Sessions, n_items: int) -> npt.NDArray[np.float64]:
    """(n_items,) in [0, 1): popularity, for models whose own scores are whole steps apart or mostly 0.

    Ties count against a model, so one that says nothing of most items would be judged by its silence.
    """
    counts = np.bincount(train.items, minlength=n_items)
    shares: npt.NDArray[np.float64] = counts / (counts.sum() + 1.0)
    return shares
