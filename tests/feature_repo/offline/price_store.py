"""A real ``FeatureStore`` made from a feature_store.yaml, with two small views.

Prices: item a costs 1 from 08:00 and 2 from 10:00. At 12:00 the price of 10:00 is corrected to 3. Item b costs 5 from
09:00. A price is valid for 6 hours.
Stock of (shop, item) from 08:00: s1 has 10 of a and 20 of b, s2 has 30 of a. Stock never expires.
"""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from feast import (
    Entity,
    FeatureService,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    OnDemandFeatureView,
    RequestSource,
    ValueType,
)
from feast.transformation.pandas_transformation import PandasTransformation
from feast.transformation.python_transformation import PythonTransformation
from feast.types import Float64, Int64, String

STORE = "feature_repo.offline.store.AsofOfflineStore"


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2024, 5, 1, hour, minute, tzinfo=UTC)


PRICES = [("a", at(8), at(8), 1), ("a", at(10), at(10), 2), ("a", at(10), at(12), 3), ("b", at(9), at(9), 5)]
STOCK = [("s1", "a", at(8), 10), ("s1", "b", at(8), 20), ("s2", "a", at(8), 30)]
ITEM = Entity(name="item", join_keys=["item_id"], value_type=ValueType.STRING)
SHOP = Entity(name="shop", join_keys=["shop_id"], value_type=ValueType.STRING)
QUANTITY = RequestSource(name="request", schema=[Field(name="quantity", dtype=Int64)])


def total_of_columns(inputs: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({"total": (inputs["price"] * inputs["quantity"]).astype("float64")})


def total_of_lists(inputs: dict) -> dict:
    return {
        "total": [None if p is None else float(p * q) for p, q in zip(inputs["price"], inputs["quantity"], strict=True)]
    }


def frame(*rows: tuple[str, datetime], **more: list[object]) -> pd.DataFrame:
    return pd.DataFrame({"item_id": [row[0] for row in rows], "event_timestamp": [row[1] for row in rows], **more})


def prices(store: FeatureStore, rows: pd.DataFrame | pa.Table | str) -> list[int | None]:
    return store.get_historical_features(rows, ["prices:price"]).to_arrow()["price"].to_pylist()


def write_sources(folder: Path) -> None:
    names = ("item_id", "event_timestamp", "created", "price")
    pq.write_table(
        pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in PRICES]), folder / "price.parquet"
    )
    names = ("shop_id", "item_id", "event_timestamp", "stock")
    pq.write_table(
        pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in STOCK]), folder / "stock.parquet"
    )


def open_store(folder: Path, **offline: str) -> FeatureStore:
    settings = "".join(f"\n  {name}: {value}" for name, value in offline.items())
    (folder / "feature_store.yaml").write_text(
        f"project: tiny\nprovider: local\nregistry: {folder}/registry.db\nentity_key_serialization_version: 3\n"
        f"online_store:\n  type: sqlite\n  path: {folder}/online.db\noffline_store:\n  type: {STORE}{settings}\n"
    )
    return FeatureStore(repo_path=str(folder))


def applied_store(folder: Path) -> FeatureStore:
    write_sources(folder)
    store = open_store(folder)
    prices = FeatureView(
        name="prices",
        entities=[ITEM],
        ttl=timedelta(hours=6),
        schema=[Field(name="item_id", dtype=String), Field(name="price", dtype=Int64)],
        source=FileSource(
            path=str(folder / "price.parquet"), timestamp_field="event_timestamp", created_timestamp_column="created"
        ),
    )
    stock = FeatureView(
        name="stock",
        entities=[SHOP, ITEM],
        ttl=timedelta(0),
        schema=[
            Field(name="shop_id", dtype=String),
            Field(name="item_id", dtype=String),
            Field(name="stock", dtype=Int64),
        ],
        source=FileSource(path=str(folder / "stock.parquet"), timestamp_field="event_timestamp"),
    )
    totals = [
        OnDemandFeatureView(
            name=name,
            sources=[prices, QUANTITY],
            schema=[Field(name="total", dtype=Float64)],
            feature_transformation=transformation(udf=udf, udf_string=inspect.getsource(udf)),
            mode=mode,
        )
        for name, transformation, udf, mode in (
            ("pandas_total", PandasTransformation, total_of_columns, "pandas"),
            ("python_total", PythonTransformation, total_of_lists, "python"),
        )
    ]
    two_items = FeatureService(
        name="two_items",
        features=[
            prices[["price"]].with_name("first").with_join_key_map({"item_id": "first_id"}),
            prices[["price"]].with_name("second").with_join_key_map({"item_id": "second_id"}),
            stock[["stock"]].with_join_key_map({"item_id": "second_id"}),
        ],
    )
    store.apply([ITEM, SHOP, prices, stock, *totals, two_items])
    return store
