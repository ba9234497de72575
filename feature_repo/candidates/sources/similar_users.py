"""What the users ordered whose history is most like this user's (UP-CF, Faggioli et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from feature_repo.candidates.item_codes import ItemCodes
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
from feature_repo.candidates.sparse_table import SparseTable
from infra.models.arrays import Floats

SAME = 0.999  # who is more similar is the user itself, or has the same history: neither adds anything to it


@dataclass(frozen=True)
class SimilarUsers:
    """score = sum over the ``neighbours`` nearest users of similarity^power times the item's share of their orders.

    Users are compared by the cosine of their decayed order counts times ``idf``. They are fitted users, a sample.

    by_item: row = item: the users who ordered it, with their unit vector's value
    of_user: row = user: the items ordered most, with their share of the user's decayed orders
    idf:     (n,) float32, how much an item tells: less if many users order it
    """

    by_item: SparseTable
    of_user: SparseTable
    idf: Floats
    half_life_days: int
    neighbours: int
    power: float
    name: str = "similar_users"

    def candidates(self, queries: Queries, k: int) -> Candidates:
        history = queries.history
        known = np.flatnonzero(history.items < len(self.idf))
        rows, items = history.lists.rows[known], history.items[known].astype(np.int64)
        decayed = history.values[f"decayed_{self.half_life_days}d"][known]
        age = queries.age_days(history, "last_us")[known]
        vectors = decayed * np.exp2(-age / self.half_life_days) * self.idf[items]
        lengths = np.sqrt(np.bincount(rows, vectors**2, minlength=len(queries)))
        unit = np.divide(vectors, lengths[rows], out=np.zeros_like(vectors), where=vectors > 0)
        users = self.by_item.best(
            Ragged.of_lengths(np.bincount(rows, minlength=len(queries))), items, unit, self.neighbours, below=SAME
        )
        return self.of_user.best(
            users.lists, users.items.astype(np.int64), users.scores.astype(np.float64) ** self.power, k
        )

    def save(self, folder: Path) -> None:
        self.by_item.save(folder, "by_item")
        self.of_user.save(folder, "of_user")
        save_arrays(folder, {"idf": self.idf})
        save_settings(
            folder,
            {"half_life_days": self.half_life_days, "neighbours": self.neighbours, "power": self.power},
        )

    @staticmethod
    def load(folder: Path, codes: ItemCodes) -> SimilarUsers:
        of_user = SparseTable.load(folder, "of_user", len(codes))
        by_item = SparseTable.load(folder, "by_item", len(of_user.lists))
        return SimilarUsers(by_item, of_user, load_array(folder, "idf"), **load_settings(folder))


KIND = SourceKind("similar_users", version=1, load=SimilarUsers.load)
