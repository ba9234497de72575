"""What the user ordered before: by the number of orders, each counted less the longer ago it was."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from feature_repo.candidates.item_codes import ItemCodes
from feature_repo.candidates.queries import Queries
from feature_repo.candidates.source import Candidates, SourceKind, load_settings, save_settings


@dataclass(frozen=True)
class OwnHistory:
    """score = 2^(-age / half_life) summed over the orders of the item.

    The user's row holds the sum at the latest order of each item for HALF_LIVES_DAYS; ``half_life_days`` is one of
    them.
    """

    half_life_days: int
    name: str = "own_history"

    def candidates(self, queries: Queries, k: int) -> Candidates:
        history = queries.history
        decayed = history.values[f"decayed_{self.half_life_days}d"]
        score = decayed * np.exp2(-queries.age_days(history, "last_us") / self.half_life_days)
        return Candidates.best(history.lists.rows, history.items, score, len(queries), k)

    def save(self, folder: Path) -> None:
        save_settings(folder, asdict(self))

    @staticmethod
    def load(folder: Path, _: ItemCodes) -> OwnHistory:
        return OwnHistory(**load_settings(folder))


KIND = SourceKind("own_history", version=1, load=OwnHistory.load)
