"""A slate of three candidates, and what the families derive from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from feature_repo.derived.families import derived_features
from feature_repo.model_features import feature_matrix, model_features
from feature_repo.schema import Column, Declaration, DType
from feature_repo.slate import Row, Slate, floats, timestamps
from infra.models.vocabulary import NO_TEXTS

NOW = int(datetime(2024, 7, 1, 12, 30, tzinfo=UTC).timestamp() * 1e6)  # a Monday
HOUR = 3_600_000_000
DECLARATION = Declaration(
    name="t", title="t", timezone="America/New_York", context=(Column("store_id", DType.STRING, "store"),)
)
USER = {
    "user_orders_all": 4.0,
    "history_items": ["a", "b"],
    "history_categories": ["x", "y"],
    "history_counts": [3, 1],
    "history_first_us": [NOW - 30 * HOUR, NOW - 5 * HOUR],
    "history_last_us": [NOW - 10 * HOUR, NOW - 5 * HOUR],
    "history_decayed_14d": [2.0, 1.0],
    "history_decayed_60d": [2.5, 1.0],
    "history_decayed_180d": [2.75, 1.0],
    "history_weighted_60d": [1.5, 0.75],
    "history_basket_decayed": [2.5, 1.0],
    "history_first_basket": [1, 3],
    "history_last_basket": [4, 3],
    "history_gap_sd_s": [3600.0, 0.0],
    "user_first_seen_us": NOW - 100 * HOUR,
    "user_last_order_us": NOW - 5 * HOUR,
}
SESSION = {
    "session_first_us": NOW - HOUR,
    "session_last_us": NOW - HOUR // 2,
    "cart_items": ["q"],
    "recent_items": ["b", "q", "b"],
    "recent_actions": ["view", "add_to_cart", "like"],
    "recent_us": [NOW - HOUR // 2, NOW - HOUR, NOW - HOUR],
}


def slate(**fields) -> Slate:
    items = {
        "category_id": np.array(["x", "y", None], dtype=object),
        "price": floats([1.0, 3.0, None]),
        "first_seen_us": timestamps([NOW - 2 * HOUR, None, None]),
        "last_order_us": timestamps([NOW - HOUR, None, None]),
    }
    fields |= {name: Row(fields[name]) for name in ("user", "session") if name in fields}
    return Slate(**{"scored_us": NOW, "item_ids": ["a", "b", "c"], "items": items, **fields})


def derive(asked: Slate, declaration: Declaration) -> dict[str, np.ndarray]:
    """The derived features as they stand in the matrix, whose other item features are unknown."""
    names = [feature.name for feature in model_features(declaration)]
    unread = {name: np.array([None] * len(asked)) for name in names if name not in asked.items}
    matrix = feature_matrix(replace(asked, items={**unread, **asked.items}), declaration, NO_TEXTS)
    return {feature.name: matrix[:, names.index(feature.name)] for feature in derived_features()}
