"""Item-to-item co-visitation: items that were seen near the session's items, before or after them.

    c(i, j)  = sum over pairs of i and j at most WINDOW steps apart in a train session of 1 / distance
    s(i, j)  = c(i, j) / sqrt(n(i) n(j))                    n: occurrences in train
    score(j) = sum over the session's items i of DECAY ** (steps since i) * s(i, j)

The relatedness of Davidson et al. 2010 ("The YouTube video recommendation system") with the cosine normalisation of
Linden et al. 2003; near pairs count more. Equal scores, mostly 0, are ordered by popularity. If no train session has
the same item twice in a row, the session's last item is ranked last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.gru4rec.baselines.item_pairs import (
    Integers,
    ItemPairs,
    Weights,
    has_repeats,
    pairs_at_distance,
)
from training.gru4rec.baselines.popularity import tie_breaker
from training.gru4rec.next_item import Items
from training.gru4rec.sessions.processed import Sessions

WINDOW = 5
DECAY = 0.5
TIE_WEIGHT = 1e-9  # of popularity: smaller than any relevant difference of two scores


@dataclass(frozen=True)
class Covisitation:
    """``related``: s(i, j). ``ties``: (n_items,) popularity times TIE_WEIGHT. ``repeats``: of the train sessions."""

    related: ItemPairs
    ties: npt.NDArray[np.float64]
    decay: float = DECAY
    repeats: bool = True
    name: str = "covisitation"

    @staticmethod
    def fit(train: Sessions, n_items: int, *, window: int = WINDOW, decay: float = DECAY) -> Covisitation:
        pairs = ItemPairs.sum_of(_pairs_in_both_directions(train, window), n_items)
        occurrences = np.bincount(train.items, minlength=n_items).astype(np.float64)
        item = np.repeat(np.arange(n_items), np.diff(pairs.starts))
        cosine = pairs.weights / np.sqrt(occurrences[item] * occurrences[pairs.others])
        return Covisitation(
            ItemPairs(pairs.starts, pairs.others, cosine),
            TIE_WEIGHT * tie_breaker(train, n_items),
            decay,
            has_repeats(train),
        )

    def scores(self, session: Items) -> npt.NDArray[np.float64]:
        """(length, n_items)"""
        scores = np.empty((len(session), len(self.ties)))
        sums = np.zeros(len(self.ties))
        for row, item in zip(scores, session, strict=True):
            others, related = self.related.of(int(item))
            sums *= self.decay
            sums[others] += related
            np.add(sums, self.ties, out=row)
            if not self.repeats:
                row[item] = -1.0
        return scores


def _pairs_in_both_directions(train: Sessions, window: int) -> Iterator[tuple[Integers, Integers, Weights]]:
    for distance in range(1, window + 1):
        earlier, later = pairs_at_distance(train, distance)
        weight = np.full(2 * len(earlier), 1.0 / distance)
        yield np.concatenate([earlier, later]), np.concatenate([later, earlier]), weight
