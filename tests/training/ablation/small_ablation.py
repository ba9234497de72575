"""The recommender's ablation on the buyers' small shop."""

from __future__ import annotations

from typing import Any

import yaml

from infra.settings import PROJECT_ROOT

ALL = yaml.safe_load((PROJECT_ROOT / "params.yaml").read_text())["recommend"]["sources"]
SOURCES = ("own_history", "trending")
PARAMS: dict[str, Any] = {
    "candidates": 20,
    "sources": {**{name: {**ALL[name], "candidates": 12} for name in SOURCES}},
    "windows": {"days": 3, "every_days": 3, "train": 4, "validation": 2, "test": 2, "fit_every": 2},
    "lists": {"users": 100, "sessions": 5, "negatives": 0.5},
    "train": {
        "seed": 7,
        "rounds": 30,
        "early_stopping_rounds": 20,
        "bootstrap_resamples": 200,
        "weights": "per_list",
        "lightgbm": {"objective": "binary", "num_leaves": 7, "min_data_in_leaf": 20, "learning_rate": 0.1},
    },
}
