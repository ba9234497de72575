"""What recall a list is expected to have if its user orders: a regression on the lists of earlier windows.

Its features are what the ranker says of the list and the buyer model's features of the user. The user's basket matters
most: of few items a list holds a larger share. Who is chosen by probability times this is better chosen than by
probability alone (``python -m training.recommend.compare``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from infra.durable_file import write_durably
from infra.models.arrays import Doubles, Floats
from training.buyers.buyer_features import FEATURE_NAMES
from training.recommend.judged_lists import ListMass

USUAL_DAYS = 2.0  # order days' worth of the usual basket, so that one order day says little
MIN_LEAF, LEAVES = 5, 16
LIST_FEATURES = ("mass_first", "mass_every", "mass_share", "basket_size", "mass_per_item")
NAMES = (*LIST_FEATURES, *FEATURE_NAMES)
MODEL_FILE = "expected_recall.txt"


@dataclass(frozen=True)
class RecallModel:
    """Recall by features (:func:`recall_matrix`), between 0 and 1."""

    booster: Any  # lightgbm.Booster, which has no type stubs

    @staticmethod
    def fit(matrix: Floats, recall: Doubles, params: Mapping[str, Any], threads: int) -> RecallModel:
        """Of (n, f) features and (n,) recalls, at least one. ``params``: the section ``recommend.batch.recall``."""
        settings = {
            "objective": "regression",
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
            "seed": int(params["seed"]),
            "num_threads": threads,
            **params["lightgbm"],
        }
        settings["min_data_in_leaf"] = min(int(settings["min_data_in_leaf"]), max(MIN_LEAF, len(recall) // LEAVES))
        data = lightgbm.Dataset(matrix, recall, feature_name=list(NAMES))
        booster = lightgbm.train(settings, data, num_boost_round=int(params["rounds"]))
        return RecallModel(lightgbm.Booster(model_str=booster.model_to_string()))

    def __call__(self, matrix: Floats, threads: int = 1) -> Doubles:
        """(q,) of (q, f)"""
        return np.clip(np.asarray(self.booster.predict(matrix, num_threads=threads), np.float64), 0.0, 1.0)

    def save(self, folder: Path) -> None:
        write_durably(folder / MODEL_FILE, self.booster.model_to_string().encode())


def recall_matrix(mass: ListMass, users: Floats, usual: float) -> Floats:
    """(q, len(NAMES)) of the lists and (q, f) features of their users. ``usual``: of :func:`usual_basket`."""
    basket = basket_size(users, usual)
    with np.errstate(invalid="ignore"):  # a list without candidates has no share
        columns = (mass.first, mass.every, mass.first / mass.every, basket, mass.first / basket)
    return np.concatenate([np.stack(columns, axis=1).astype(np.float32), users], axis=1)


def usual_basket(users: Floats) -> float:
    """Items per order day over all users in 28 days. ``users``: (q, f) features of the buyer model."""
    items, days = _ordered(users)
    return float(items.sum() / max(days.sum(), 1.0))


def basket_size(users: Floats, usual: float) -> Doubles:
    """(q,) items per order day in 28 days, drawn to the ``usual`` number by USUAL_DAYS days; at least 1."""
    items, days = _ordered(users)
    return np.maximum((items + USUAL_DAYS * usual) / (days + USUAL_DAYS), 1.0)


def _ordered(users: Floats) -> tuple[Doubles, Doubles]:
    """(q,) items ordered, and (q,) order days, of the last 28 days."""
    items, days = (
        np.nan_to_num(users[:, FEATURE_NAMES.index(name)].astype(np.float64))
        for name in ("user_items_28d", "order_days_28d")
    )
    return items, days
