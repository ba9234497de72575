"""A made-up shop in Redis and a model of the usual size, for measuring ``/score``."""

from __future__ import annotations

import json
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
from feature_repo.derived.categories import CONTEXT
from feature_repo.schema import Column, DType
from feature_repo.store import open_store, write_feature_store_yaml
from infra.clock import set_anchor
from infra.models.arrays import Floats
from infra.models.model_contract import CATEGORY, ModelContract
from infra.models.model_store import ModelStore
from infra.models.ranker import LightGbmRanker
from infra.models.trees.score_parity import sample
from infra.models.vocabulary import FIRST, Vocabulary
from infra.settings import Settings

ITEMS, USERS, SESSIONS = 100_000, 2_000, 2_000
IN_A_ROW = 4  # requests of one user: the lists of a page, and the next page
HISTORY, RECENT, CART, COMPANIONS = 200, 20, 5, 30
TREES, LEAVES = 300, 63
LEVELS = 300  # texts of each column of strings, and stores
KNOWN = datetime(2024, 5, 1, tzinfo=UTC)
NOW = KNOWN + timedelta(minutes=10)
SEED = 11


def settings_in(folder: Path) -> Settings:
    return Settings(
        _env_file=None,
        dataset="complete_journey",
        data_dir=folder / "data",
        state_dir=folder / "var",
        clock="replay",
    )


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """For a scorer process."""
    return {
        "RERANK_DATASET": settings.dataset,
        "RERANK_DATA_DIR": str(settings.data_dir),
        "RERANK_STATE_DIR": str(settings.state_dir),
        "RERANK_CLOCK": "replay",
        "RERANK_LOG_LEVEL": "WARNING",
        **more,
    }


def fill(settings: Settings, items: int = ITEMS) -> None:
    """Feature parquet, apply, materialize, and a registered champion; the clock stands at NOW. Redis must run."""
    set_anchor(settings.clock_file, NOW)
    settings.features_dir.mkdir(parents=True, exist_ok=True)
    sizes = {"item": items, "user": USERS, "session": SESSIONS}
    for view in views(DECLARATION):
        pq.write_table(_table(view, sizes[view.entity], items), settings.features_dir / f"{view.name}.parquet")
    store = open_store(settings)
    store.apply(load(DataSet.of(settings, DECLARATION)).objects)
    write_feature_store_yaml(settings)
    store.materialize(start_date=KNOWN - timedelta(days=1), end_date=NOW)
    model_store = ModelStore(settings)
    run = model_store.client.create_run(model_store.experiment_id()).info.run_id
    contract = current_contract(settings.dataset, DECLARATION)
    ranker = model(contract)
    rows = sample(ranker, training_matrix(contract.feature_names, ranker.vocabulary))
    model_store.promote(model_store.register(run, ranker, contract, {}, rows))


def model(contract: ModelContract) -> LightGbmRanker:
    """300 trees of 63 leaves, fitted to noise: what it predicts does not matter here, its size does.

    Every feature is worth the same. Each category has as many levels as the shop has texts.
    """
    categories = [feature for feature in contract.features if feature.dtype == CATEGORY]
    stem = {each.name: "" if each.source == CONTEXT else each.name for each in categories}
    vocabulary = Vocabulary({name: [f"{stem[name]}{i}" for i in range(LEVELS)] for name in stem})
    matrix = training_matrix(contract.feature_names, vocabulary)
    columns = [contract.feature_names.index(name) for name in stem]
    worth = matrix.copy()
    worth[:, columns] = np.random.default_rng(SEED).normal(size=FIRST + LEVELS)[matrix[:, columns].astype(int)] * 10
    gains = np.clip(np.round(np.nansum(worth, axis=1) / 60), 0, 4)
    parameters = {"objective": "lambdarank", "num_leaves": LEAVES, "min_data_in_leaf": 20, "verbose": -1}
    parameters |= {"seed": SEED, "deterministic": True, "num_threads": 2}
    data = lightgbm.Dataset(matrix, gains, group=[100] * 400, categorical_feature=columns)
    return LightGbmRanker(lightgbm.train(parameters, data, TREES), contract.feature_names, vocabulary=vocabulary)


def training_matrix(names: tuple[str, ...], vocabulary: Vocabulary) -> Floats:
    rng = np.random.default_rng(SEED)
    matrix = rng.normal(size=(40_000, len(names))).astype(np.float32) * 10
    matrix[rng.random(matrix.shape) < 0.05] = np.nan
    for feature, texts in vocabulary.texts.items():
        matrix[:, names.index(feature)] = rng.integers(0, FIRST + len(texts), len(matrix))
    return matrix


def unknown(items: int) -> int:
    """How many requested ids no item has; their numbers follow those of the items."""
    return items // 50


def bodies(count: int, candidates: int, items: int = ITEMS, in_a_row: int = IN_A_ROW) -> list[bytes]:
    """Requests of known users and sessions, each user's so many one after the other; one candidate in fifty is
    unknown."""
    rng = np.random.default_rng(SEED + candidates)
    found = []
    for k in range(count):
        if k % in_a_row == 0:
            user, session = rng.integers(USERS), rng.integers(SESSIONS)
        ids = rng.choice(items + unknown(items), candidates, replace=False)
        body: dict[str, Any] = {
            "user_id": f"user{user}",
            "session_id": f"session{session}",
            "context": {"store_id": str(rng.integers(LEVELS))},
            "items": [{"item_id": f"item{i}"} for i in ids],
        }
        found.append(json.dumps(body).encode())
    return found


def _table(view: View, rows: int, items: int) -> pa.Table:
    rng = np.random.default_rng([SEED, len(view.name)])
    timestamp = pa.array(np.full(rows, int(KNOWN.timestamp() * 1e6)), pa.timestamp("us", "UTC"))
    columns: dict[str, Any] = {
        view.join_key: [f"{view.entity}{i}" for i in range(rows)],
        "event_timestamp": timestamp,
        "created_timestamp": timestamp,
        **{column.name: _values(column, rows, items, rng) for column in view.columns},
    }
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in view.arrow}, schema=view.arrow)


def _values(column: Column, rows: int, items: int, rng: np.random.Generator) -> Any:
    now_us = int(KNOWN.timestamp() * 1e6)
    length = {"history": HISTORY, "recent": RECENT, "cart": CART, "companion": COMPANIONS}.get(
        column.name.split("_")[0], 0
    )
    match column.dtype:
        case DType.FLOAT32:
            return rng.random(rows).astype(np.float32)
        case DType.INT64:
            return now_us - rng.integers(0, 10**13, rows)
        case DType.STRING:
            return [f"{column.name}{i}" for i in rng.integers(0, LEVELS, rows)]
        case DType.FLOAT32_LIST:
            return list(rng.random((rows, length)).astype(np.float32))
        case DType.INT64_LIST:
            is_count = column.unit == "count"
            low, high = (1, 9) if is_count else (now_us - 10**13, now_us)
            return list(rng.integers(low, high, (rows, length)))
        case DType.STRING_LIST if column.name == "recent_actions":
            return [["view", "add_to_cart"] * (length // 2)] * rows
        case DType.STRING_LIST if column.name == "history_categories":
            return [[f"category_id{i}" for i in line] for line in rng.integers(0, LEVELS, (rows, length))]
        case DType.STRING_LIST:
            return [[f"item{i}" for i in line] for line in rng.integers(0, items, (rows, length))]
    raise ValueError(f"{column.name}: no values for {column.dtype}")
