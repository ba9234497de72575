"""A store and a champion made by hand: a few entities in a real Redis, written by Feast, and a small model.

Entities: items a, b, c (z has no row), user u (history: a twice, b once), session s (cart: b; recent: a).
Every row is known from ROW_AT on.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.contract import current_contract
from feature_repo.datasets.declarations.built_in import COMPLETE_JOURNEY as DECLARATION
from feature_repo.definitions.data_set import DataSet
from feature_repo.definitions.repo import load
from feature_repo.definitions.view import View
from feature_repo.definitions.views import views
from feature_repo.model_features import model_features
from feature_repo.store import open_store
from infra.models.arrays import Floats
from infra.models.model_contract import ModelContract
from infra.models.model_store import ModelStore
from infra.models.ranker import BaselineRanker, LightGbmRanker, Ranker
from infra.models.trees.score_parity import sample
from infra.models.vocabulary import FIRST, Vocabulary
from infra.settings import Settings

ROW_AT = datetime(2024, 3, 1, 12, 0, 0, 123457, tzinfo=UTC)
NOW = ROW_AT + timedelta(minutes=1, microseconds=7)
FEATURES = tuple(feature.name for feature in model_features(DECLARATION))
VIEWS = {view.name: view for view in views(DECLARATION)}
VOCABULARY = Vocabulary(
    {
        "category_id": ("fruit", "bread", "text 0 ü", "text 1 ü", "text 2 ü"),
        "brand": ("text 3 ü", "text 1 ü"),
        "shop_id": (),
        "context_store_id": ("330", "7", "8"),
    }
)
SENDABLE = tuple(name for name in FEATURES if name not in VOCABULARY.texts)  # in ``features`` of a request


def us(timestamp: datetime) -> int:
    return (timestamp - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def ago(**span: float) -> int:
    return us(ROW_AT - timedelta(**span))


ROWS: dict[str, list[dict[str, Any]]] = {
    "item_attributes": [
        {"item_id": "a", "category_id": "fruit", "price": 1.1, "is_private_brand": 1.0},
        {"item_id": "b", "category_id": "bread", "price": 2.2},
        {"item_id": "c", "category_id": None, "price": None},
    ],
    "item_windows": [
        {"item_id": "a", "orders_7d": 3.0, "orders_28d": 9.0, "first_seen_us": ago(days=90), "last_order_us": None},
        {"item_id": "b", "orders_7d": 1.0, "orders_28d": 4.0, "first_seen_us": ago(days=60)},
    ],
    "item_companions": [
        {"item_id": "b", "companion_items": ["a", "q"], "companion_shares": [0.3, 0.1]},
        {"item_id": "a", "companion_items": [], "companion_shares": []},
    ],
    "item_repeats": [
        {"item_id": "a", "repeats_per_user": 0.75, "repeat_lift_28d": 1.25, "repeat_interval_s": 604800.0},
        {"item_id": "b", "repeats_per_user": 0.125},
    ],
    "user_windows": [{"user_id": "u", "user_orders_all": 4.0, "user_is_new": 0.0, "user_first_seen_us": ago(days=80)}],
    "user_history": [
        {
            "user_id": "u",
            "history_items": ["a", "b"],
            "history_categories": ["fruit", "bread"],
            "history_counts": [2, 1],
            "history_first_us": [ago(days=30), ago(days=5)],
            "history_last_us": [ago(days=2), ago(days=5)],
            "history_decayed_14d": [1.25, 1.0],
            "history_decayed_60d": [1.75, 1.0],
            "history_decayed_180d": [1.875, 1.0],
            "history_weighted_60d": [1.5, 0.75],
            "history_basket_decayed": [1.75, 1.0],
            "history_first_basket": [1, 3],
            "history_last_basket": [4, 3],
            "history_gap_sd_s": [0.0, 0.0],
        }
    ],
    "session_state": [
        {
            "session_id": "s",
            "session_views": 1.0,
            "session_carts": 1.0,
            "session_first_us": ago(minutes=3),
            "session_last_us": ago(microseconds=1),
            "cart_items": ["b"],
            "recent_items": ["a", "b"],
            "recent_actions": ["view", "add_to_cart"],
            "recent_us": [ago(microseconds=1), ago(minutes=3)],
        },
        {
            "session_id": "fresh",
            "session_views": 0.0,
            "session_first_us": ago(minutes=1),
            "cart_items": [],
            "recent_items": [],
            "recent_actions": [],
            "recent_us": [],
        },
    ],
}


def settings_in(folder: Path, **changes: Any) -> Settings:
    return Settings(
        _env_file=None, state_dir=folder / "var", data_dir=folder / "data", dataset="complete_journey", **changes
    )


def fill_store(settings: Settings) -> None:
    """Feature parquet, ``apply`` and ``materialize``, all through Feast."""
    settings.features_dir.mkdir(parents=True, exist_ok=True)
    for name, rows in ROWS.items():
        table = pa.Table.from_pylist([_whole(VIEWS[name], row) for row in rows], schema=_nullable(VIEWS[name]))
        pq.write_table(table, settings.features_dir / f"{name}.parquet")
    store = open_store(settings)
    store.apply(load(DataSet.of(settings, DECLARATION)).objects)
    store.materialize(start_date=ROW_AT - timedelta(days=1), end_date=ROW_AT + timedelta(seconds=1))


def write_row(settings: Settings, view: str, at: datetime, **values: Any) -> None:
    """One more row of ``view``, through Feast."""
    row = _whole(VIEWS[view], values) | {"event_timestamp": at, "created_timestamp": at}
    frame = pa.Table.from_pylist([row], schema=_nullable(VIEWS[view])).to_pandas()
    open_store(settings).write_to_online_store(view, frame)


def _whole(view: View, row: dict[str, Any]) -> dict[str, Any]:
    nothing = dict.fromkeys(field.name for field in view.arrow)
    return nothing | {"event_timestamp": ROW_AT, "created_timestamp": ROW_AT} | row


def _nullable(view: View) -> pa.Schema:
    return pa.schema([field.with_nullable(True) for field in view.arrow])


def contract() -> ModelContract:
    return current_contract("complete_journey", DECLARATION)


def small_model() -> LightGbmRanker:
    """A model whose trees use every feature's column somewhere and differ from row to row."""
    return model_on(matrix_of(600), FEATURES, 60)


def model_on(matrix: Floats, names: tuple[str, ...], rounds: int, **more: Any) -> LightGbmRanker:
    """Fitted to gains that depend on every column, on those of categories by whether the code is even."""
    categories = [j for j, name in enumerate(names) if name in VOCABULARY.texts]
    worth = matrix.copy()
    worth[:, categories] = 120 * (matrix[:, categories] % 2) - 60
    gains = np.clip(np.round(worth.sum(axis=1) / 60), 0, 4)
    parameters = {"objective": "lambdarank", "num_leaves": 31, "min_data_in_leaf": 5, "verbose": -1, "num_threads": 1}
    parameters |= {"min_data_per_group": 5, "cat_smooth": 1, "cat_l2": 0.1, "seed": 1, **more}
    data = lightgbm.Dataset(
        matrix, gains, group=[60] * (len(matrix) // 60), categorical_feature=categories, params=parameters
    )
    return LightGbmRanker(lightgbm.train(parameters, data, rounds), names, vocabulary=VOCABULARY)


def matrix_of(rows: int, names: tuple[str, ...] = FEATURES, seed: int = 5) -> Floats:
    """Any numbers, and for categories any of their codes."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, len(names))).astype(np.float32) * 10
    for feature, texts in VOCABULARY.texts.items():
        matrix[:, names.index(feature)] = rng.integers(0, FIRST + len(texts), rows)
    return matrix


def constant_baseline() -> BaselineRanker:
    return BaselineRanker("popularity", (("orders_28d", 1),), FEATURES)


def register(
    settings: Settings, ranker: Ranker, other_contract: ModelContract | None = None, *, promoted: bool = True
) -> str:
    """Make ``ranker`` the champion, with its test rows if it is a LightGBM model. Returns the version."""
    store = ModelStore(settings)
    run = store.client.create_run(store.experiment_id()).info.run_id
    rows = sample(ranker, matrix_of(600)) if isinstance(ranker, LightGbmRanker) else None
    version = store.register(run, ranker, other_contract or contract(), {"ndcg_at_10": "0.5"}, rows)
    if promoted:
        store.promote(version)
    return version
