"""A first-order Markov chain: how often each item came right after the session's last item in train."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.gru4rec.baselines.item_pairs import ItemPairs, pairs_at_distance
from training.gru4rec.baselines.popularity import tie_breaker
from training.gru4rec.next_item import Items
from training.gru4rec.sessions.processed import Sessions


@dataclass(frozen=True)
class Markov:
    """``followers``: counts of transitions. ``ties``: (n_items,) below 1, so that they only order equal counts."""

    followers: ItemPairs
    ties: npt.NDArray[np.float64]
    name: str = "markov"

    @staticmethod
    def fit(train: Sessions, n_items: int) -> Markov:
        item, follower = pairs_at_distance(train, 1)
        pairs = ItemPairs.sum_of(iter([(item, follower, np.ones(len(item)))]), n_items)
        return Markov(pairs, tie_breaker(train, n_items))

    def scores(self, session: Items) -> npt.NDArray[np.float64]:
        """(length, n_items)"""
        scores = np.tile(self.ties, (len(session), 1))
        for row, item in zip(scores, session, strict=True):
            others, counts = self.followers.of(int(item))
            row[others] += counts
        return scores
