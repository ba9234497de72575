"""A small data set that passes all gates, as rows in which tests plant faults."""

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.datasets.declarations.declaration_json import DECLARATION_FILE, declaration_to_json
from feature_repo.definitions.views import views
from feature_repo.model_features import model_features
from feature_repo.schema import Column, Declaration, DType, log_tables
from infra.models.model_contract import CATEGORY
from infra.settings import Settings
from tests.small_log import START, at
from validation.gates.rules.training_rules import training_file

DECLARATION = Declaration(
    name="tiny",
    title="A log made by hand",
    facts=(Column("is_recommended", DType.FLOAT32, "1 if promoted", "flag", True, 0, 1),),
    context=(Column("store_id", DType.STRING, "store", nullable=True),),
)
ITEMS = ("i0", "i1", "i2")
SPLIT_OF_DAY = {2: "train", 3: "validation", 4: "test"}
Rows = list[dict[str, Any]]


def good_rows() -> dict[str, Rows]:
    """table -> rows. Events are on days 0 and 1; days 2, 3 and 4 have one slate of three items each."""
    return {
        "items": [{"item_id": i, "valid_from_ts": at(), "category_id": "c", "price": Decimal("2.00")} for i in ITEMS],
        "events": [_event(0, at(0, 10), "view"), _event(1, at(1, 10), "order"), _event(2, at(1, 20), "search")],
        "impressions": [_impression(day, position) for day in SPLIT_OF_DAY for position in range(3)],
        **{view.name: _view_rows(view.join_key, view.name) for view in views(DECLARATION)},
        "training_set": [_training_row(day, position) for day in SPLIT_OF_DAY for position in range(3)],
    }


def _event(number: int, when: datetime, action: str) -> dict[str, Any]:
    about = {"item_id": "i0", "category_id": "c", "price": Decimal("2.00")} if action != "search" else {}
    return {
        "event_id": f"e{number}",
        "user_id": "u",
        "session_id": "s",
        "event_ts": when,
        "received_ts": when,
        "action": action,
        "quantity": 1,
        **about,
    }


def _impression(day: int, position: int) -> dict[str, Any]:
    return {
        "slate_id": f"slate{day}",
        "user_id": "u",
        "session_id": "s",
        "item_id": ITEMS[position],
        "shown_ts": at(day, 30),
        "input_position": position,
        "label": int(position == 0),
        "relevant_total": 1,
        "is_recommended": 0.0,
        "store_id": "330",
    }


def _training_row(day: int, position: int) -> dict[str, Any]:
    shown = _impression(day, position)
    keys = ("slate_id", "user_id", "session_id", "item_id", "label", "relevant_total")
    features = {feature.name: "c" if feature.dtype == CATEGORY else 0.0 for feature in model_features(DECLARATION)}
    return {
        **features,
        **{key: shown[key] for key in keys},
        "event_timestamp": shown["shown_ts"],
        "position": position,
        "split": SPLIT_OF_DAY[day],
        "views_1d": float("nan"),
    }


_ARRAYS: dict[str, dict[str, list[Any]]] = {
    "item_companions": {"companion_items": ["i1"], "companion_shares": [0.5]},
    "user_history": {
        "history_items": ["i0", "i1"],
        "history_categories": ["c", ""],
        "history_counts": [2, 1],
        "history_first_us": [1, 2],
        "history_last_us": [3, 2],
        "history_decayed_14d": [2.0, 1.0],
        "history_decayed_60d": [2.0, 1.0],
        "history_decayed_180d": [2.0, 1.0],
        "history_weighted_60d": [1.5, 0.75],
        "history_basket_decayed": [1.75, 1.0],
        "history_first_basket": [1, 1],
        "history_last_basket": [2, 1],
        "history_gap_sd_s": [0.0, 0.0],
    },
    "session_state": {"recent_items": ["i0"], "recent_actions": ["view"], "recent_us": [1]},
}


def _view_rows(join_key: str, name: str) -> Rows:
    timestamps = [at(0, 10.000001), at(1, 10.000001)] if name == "session_state" else [at(1), at(2)]
    category = {"category_id": "c"} if name == "item_attributes" else {}
    return [
        {
            join_key: {"item_id": "i0", "user_id": "u", "session_id": "s"}[join_key],
            "event_timestamp": timestamp,
            "created_timestamp": timestamp + timedelta(minutes=30),
            **category,
            **_ARRAYS.get(name, {}),
        }
        for timestamp in timestamps
    ]


def arrow_schemas(settings: Settings) -> dict[str, pa.Schema]:
    columns = {table.name: table.arrow for table in log_tables(DECLARATION)}
    columns |= {view.name: view.arrow for view in views(DECLARATION)}
    training = training_file(settings, DECLARATION)
    columns["training_set"] = pa.schema([(column.name, column.dtype.arrow) for column in training.columns])
    return {name: pa.schema([(field.name, field.type) for field in schema]) for name, schema in columns.items()}


def path_of(settings: Settings, table: str) -> Path:
    if table == "training_set":
        return settings.training_dir / "training_set.parquet"
    in_log = table in {t.name for t in log_tables(DECLARATION)}
    return (settings.log_dir if in_log else settings.features_dir) / f"{table}.parquet"


def write(settings: Settings, rows: dict[str, Rows]) -> None:
    """Write all tables as parquet, and the declaration. Missing values are null."""
    for name, schema in arrow_schemas(settings).items():
        path = path_of(settings, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows[name], schema=schema), path)
    (settings.log_dir / DECLARATION_FILE).write_text(declaration_to_json(DECLARATION))


__all__ = ["DECLARATION", "START", "at", "good_rows", "path_of", "write"]
