"""A sparse matrix of item pairs: for each item, its related items and their weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.gru4rec.sessions.processed import Sessions

Weights = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ItemPairs:
    """The items related to item i are others[starts[i]:starts[i + 1]]; ``weights`` is parallel to ``others``."""

    starts: Integers  # (n_items + 1,)
    others: Integers  # (pairs,)
    weights: Weights  # (pairs,)

    @staticmethod
    def sum_of(parts: Iterator[tuple[Integers, Integers, Weights]], n_items: int) -> ItemPairs:
        """Sum (item, other, weight) triples. Each part is merged before the next is read, which limits memory."""
        keys: Integers = np.empty(0, dtype=np.int64)
        weights: Weights = np.empty(0)
        for item, other, weight in parts:
            keys = np.concatenate([keys, item * n_items + other])
            weights = np.concatenate([weights, weight])
            keys, inverse = np.unique(keys, return_inverse=True)
            weights = np.asarray(np.bincount(inverse, weights=weights, minlength=len(keys)), np.float64)
        item, other = np.divmod(keys, n_items)
        return ItemPairs(np.searchsorted(item, np.arange(n_items + 1)).astype(np.int64), other, weights)

    def of(self, item: int) -> tuple[Integers, Weights]:
        """The related items and their weights."""
        start, end = self.starts[item], self.starts[item + 1]
        return self.others[start:end], self.weights[start:end]


def session_of_each(sessions: Sessions) -> Integers:
    """(n,) the session number of each event."""
    return np.repeat(np.arange(len(sessions.starts) - 1), np.diff(sessions.starts))


def has_repeats(sessions: Sessions) -> bool:
    """Whether a session has the same item twice in a row. If none has, the last item is never the next one, and a
    model that ranks it first loses the first rank."""
    owner = session_of_each(sessions)
    return bool(np.any((owner[:-1] == owner[1:]) & (sessions.items[:-1] == sessions.items[1:])))


def pairs_at_distance(sessions: Sessions, distance: int) -> tuple[Integers, Integers]:
    """(earlier item, later item) of the same session, ``distance`` steps apart."""
    owner, items = session_of_each(sessions), sessions.items.astype(np.int64)
    together = owner[:-distance] == owner[distance:]
    return items[:-distance][together], items[distance:][together]
