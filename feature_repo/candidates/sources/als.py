"""Matrix factorisation of who ordered what (ALS, Hu, Koren and Volinsky 2008). The user is folded in at the request."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from feature_repo.candidates.inner_products import InnerProducts
from feature_repo.candidates.item_codes import Codes, ItemCodes
from feature_repo.candidates.queries import Queries
from feature_repo.candidates.ragged import Ragged
from feature_repo.candidates.source import (
    Candidates,
    SourceKind,
    load_array,
    load_settings,
    save_arrays,
    save_settings,
)
from feature_repo.definitions.extents import HISTORY_LIMIT
from infra.models.arrays import Doubles, Floats, Integers

NUMBERS_AT_ONCE = 2_000_000
SHORTEST = 8  # that a history is padded to


@dataclass(frozen=True)
class Als:
    """score = x . y, with the user's factors x = (Y'Y + sum_i alpha w_i y_i y_i' + regularization I)^-1 sum_i
    (1 + alpha w_i) y_i over the items i of the history, and w_i their decayed orders.

    items:   (m,) codes with factors, ascending: those with enough buyers
    factors: (m, f) float32
    """

    items: Codes
    factors: Floats
    alpha: float
    regularization: float
    half_life_days: int
    name: str = "als"

    @cached_property
    def _products(self) -> InnerProducts:
        return InnerProducts(self.factors)

    @cached_property
    def _unit(self) -> InnerProducts:
        lengths = np.linalg.norm(self.factors, axis=1, keepdims=True)
        return InnerProducts((self.factors / np.maximum(lengths, 1e-30)).astype(np.float32))

    @cached_property
    def _gram(self) -> Doubles:
        """(f, f) Y'Y + regularization I"""
        wide = self.factors.astype(np.float64)
        return np.asarray(wide.T @ wide + self.regularization * np.eye(wide.shape[1]), np.float64)

    def candidates(self, queries: Queries, k: int) -> Candidates:
        rows, positions, weights = self._history(queries)
        users, of_user = np.unique(rows, return_inverse=True)
        lists = Ragged.of_lengths(np.bincount(of_user, minlength=len(users)))
        found = self._products.best(self._folded_in(lists, positions, weights), k)
        lengths = np.zeros(len(queries), np.int64)
        lengths[users] = found.lists.lengths
        return Candidates(Ragged.of_lengths(lengths), self.items[found.items], found.scores)

    def _history(self, queries: Queries) -> tuple[Integers, Integers, Doubles]:
        """(rows, positions in ``items``, weights) of the orders of items with factors."""
        history = queries.history
        positions = np.searchsorted(self.items, history.items)
        positions[positions == len(self.items)] = 0
        used = np.flatnonzero((self.items[positions] == history.items) & (history.lists.positions < HISTORY_LIMIT))
        decayed = history.values[f"decayed_{self.half_life_days}d"][used]
        age = queries.age_days(history, "last_us")[used]
        return history.lists.rows[used], positions[used], decayed * np.exp2(-age / self.half_life_days)

    def _folded_in(self, lists: Ragged, positions: Integers, weights: Doubles) -> Doubles:
        """(u, f) the users' factors.

        Histories are padded to the next power of two. So the sums of a user are the same whoever is asked about
        beside it, and short histories cost little.
        """
        found = np.empty((len(lists), self.factors.shape[1]))
        padded_to = np.exp2(np.ceil(np.log2(np.maximum(lists.lengths, SHORTEST)))).astype(np.int64)
        for length in np.unique(padded_to).tolist():
            users = np.flatnonzero(padded_to == length)
            at_once = max(1, NUMBERS_AT_ONCE // (length * self.factors.shape[1]))
            for start in range(0, len(users), at_once):
                some = users[start : start + at_once]
                inner = Ragged.of_lengths(lists.lengths[some])
                entries = np.repeat(lists.starts[some], inner.lengths) + inner.positions
                found[some] = self._solved(inner, positions[entries], weights[entries], length)
        return found

    def _solved(self, lists: Ragged, positions: Integers, weights: Doubles, length: int) -> Doubles:
        """(u, f) of users with at most ``length`` orders each."""
        at = (lists.rows, lists.positions)
        padded = np.zeros((len(lists), length, self.factors.shape[1]))
        padded[at] = self.factors[positions]
        weight = np.zeros((len(lists), length, 1))
        weight[(*at, 0)] = self.alpha * weights
        weighted = padded * weight
        left = self._gram + padded.transpose(0, 2, 1) @ weighted  # (users, f, f)
        right = (padded + weighted).sum(axis=1)
        return np.asarray(np.linalg.solve(left, right[:, :, None])[:, :, 0], np.float64)

    def similar(self, items: Codes, k: int) -> Candidates:
        """By the cosine of the factors; none for an item without factors."""
        positions = np.minimum(np.searchsorted(self.items, items), len(self.items) - 1)
        has = np.flatnonzero(self.items[positions] == items)
        found = self._unit.best(self._unit.vectors[positions[has]].astype(np.float64), k + 1)
        others = self.items[found.items] != items[has][found.lists.rows]
        rows = has[found.lists.rows[others]]
        return Candidates.best(
            rows, self.items[found.items[others]], found.scores[others].astype(np.float64), len(items), k
        )

    def save(self, folder: Path) -> None:
        save_arrays(folder, {"items": self.items, "factors": self.factors})
        names = ("alpha", "regularization", "half_life_days")
        save_settings(folder, {name: getattr(self, name) for name in names})

    @staticmethod
    def load(folder: Path, _: ItemCodes) -> Als:
        return Als(load_array(folder, "items"), load_array(folder, "factors"), **load_settings(folder))


KIND = SourceKind("als", version=1, load=Als.load)
