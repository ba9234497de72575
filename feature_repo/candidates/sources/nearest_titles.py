"""Items whose titles are most like those of this session and of the newest orders, by vectors that the log brings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from feature_repo.candidates.item_codes import Codes, ItemCodes
from feature_repo.candidates.queries import Queries
from feature_repo.candidates.ragged import Ragged
from feature_repo.candidates.seeds import SeedWeights
from feature_repo.candidates.source import Candidates, SourceKind, load_settings, save_settings
from feature_repo.candidates.sparse_table import SparseTable


@dataclass(frozen=True)
class NearestTitles:
    """score = sum over the seeds of the seed's weight times the cosine of the two vectors.

    nearest: row = item: its exact nearest neighbours with a cosine above 0. They are computed when the source is
        fitted, because a product with all vectors would take a request many milliseconds.
    """

    nearest: SparseTable
    seeds: SeedWeights
    name: str = "nearest_titles"

    def candidates(self, queries: Queries, k: int) -> Candidates:
        seeds = self.seeds.of(queries)
        return self.nearest.best(seeds.lists, seeds.items.astype(np.int64), seeds.weights, k)

    def similar(self, items: Codes, k: int) -> Candidates:
        ones = Ragged.of_lengths(np.ones(len(items)))
        return self.nearest.best(ones, items.astype(np.int64), np.ones(len(items)), k)

    def save(self, folder: Path) -> None:
        self.nearest.save(folder, "nearest")
        save_settings(folder, asdict(self.seeds))

    @staticmethod
    def load(folder: Path, codes: ItemCodes) -> NearestTitles:
        return NearestTitles(SparseTable.load(folder, "nearest", len(codes)), SeedWeights(**load_settings(folder)))


KIND = SourceKind("nearest_titles", version=1, load=NearestTitles.load)
