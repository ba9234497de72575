"""For tests of the engine: a parquet file of prices, its feature view, and readers of the online store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import redis
from feast import FeatureStore
from feast.types import Float32

from feature_repo.online.materialization_log import MaterializationLog
from infra.clock import WallClock
from tests.feature_repo.online.stores import PROJECT, feature_view, hashes

KNOWN = datetime(2024, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MICROS = pa.timestamp("us", "UTC")
BULK = "feature_repo.online.engine.BulkMaterializationEngine"


def write_prices(path: Path, rows: list[tuple[str, datetime, datetime, float | None]]) -> None:
    items, event, created, price = zip(*rows, strict=True)
    table = pa.table(
        {
            "item_id": items,
            "event_timestamp": pa.array(event, MICROS),
            "created_timestamp": pa.array(created, MICROS),
            "price": pa.array(price, pa.float32()),
        }
    )
    pq.write_table(table, path)


def register(store: FeatureStore, path: Path, **more: Any) -> None:
    entities, view = feature_view({"price": Float32}, path=path, **more)
    store.apply([*entities, view])


def online(store: FeatureStore, *items: str) -> list[float | None]:
    rows = [{"item_id": item} for item in items]
    found: list[float | None] = store.get_online_features(["prices:price"], rows).to_dict()["price"]
    return found


def runs(client: redis.Redis) -> list[Any]:
    return MaterializationLog(client, PROJECT, WallClock()).runs()


def features(client: redis.Redis) -> dict[bytes, dict[bytes, bytes]]:
    """The feature rows in Redis, without the materialization log."""
    return {key: fields for key, fields in hashes(client).items() if key.endswith(b"shop")}
