"""Items that are ordered in the same sessions as the items of this session, this cart, and the user's history."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from feature_repo.candidates.item_codes import Codes, ItemCodes
from feature_repo.candidates.queries import Queries
from feature_repo.candidates.ragged import Ragged
from feature_repo.candidates.seeds import KINDS, SeedWeights
from feature_repo.candidates.source import Candidates, SourceKind, load_settings, save_settings
from feature_repo.candidates.sparse_table import SparseTable


@dataclass(frozen=True)
class Covisitation:
    """score = sum over the seeds of the seed's weight times the weight of its pair with the item.

    pairs: row kind * n + code is of the item ``code`` as a seed of this kind: views, carts and orders have rows of
        their own, because an item that is looked at and one that is bought go together with different orders
    """

    pairs: SparseTable
    seeds: SeedWeights
    name: str = "covisitation"

    def candidates(self, queries: Queries, k: int) -> Candidates:
        seeds = self.seeds.of(queries)
        return self.pairs.best(seeds.lists, seeds.kinds * self.pairs.columns + seeds.items, seeds.weights, k)

    def similar(self, items: Codes, k: int) -> Candidates:
        """The items that go together with each of (q,) known items, by all kinds of pairs."""
        rows = np.arange(len(KINDS)) * self.pairs.columns + items[:, None]  # (q, kinds)
        return self.pairs.best(Ragged.of_lengths(np.full(len(items), len(KINDS))), rows.ravel(), np.ones(rows.size), k)

    def save(self, folder: Path) -> None:
        self.pairs.save(folder, "pairs")
        save_settings(folder, asdict(self.seeds))

    @staticmethod
    def load(folder: Path, codes: ItemCodes) -> Covisitation:
        return Covisitation(SparseTable.load(folder, "pairs", len(codes)), SeedWeights(**load_settings(folder)))


KIND = SourceKind("covisitation", version=1, load=Covisitation.load)
