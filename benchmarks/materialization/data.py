"""The benchmark's rows, the views that Feast reads them by, and the settings of a folder that holds both."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Array, Float32, Int64, String

from infra.settings import Settings

PROJECT = "bench"
WARM_UP_ROWS = 1_000
SEED = 7
KNOWN = datetime(2024, 5, 1, tzinfo=UTC)
FLOATS = [f"feature_{i:02d}" for i in range(12)]
MIXED = {
    "category": String,
    "brand": String,
    "price": Float32,
    "old_price": Float32,
    "first_seen_us": Int64,
    "companion_items": Array(String),
    "companion_shares": Array(Float32),
    "companion_us": Array(Int64),
}


def _keys(rows: int) -> pa.Array:
    return pa.array([f"item-{i:08d}" for i in range(rows)])


def _timestamps(rows: int) -> dict[str, pa.Array]:
    event = np.int64(KNOWN.timestamp() * 1e6) + np.arange(rows) % 86_400 * 1_000_003
    utc = pa.timestamp("us", "UTC")
    return {"event_timestamp": pa.array(event, utc), "created_timestamp": pa.array(event + 1_800_000_000, utc)}


def floats_table(rows: int) -> pa.Table:
    values = np.random.default_rng(SEED).random((len(FLOATS), rows), np.float32)
    return pa.table({"item_id": _keys(rows), **_timestamps(rows), **dict(zip(FLOATS, values, strict=True))})


def mixed_table(rows: int) -> pa.Table:
    """A fifth of the scalars and a tenth of the lists are null; lists have up to 20 elements."""
    draw = np.random.default_rng(SEED)
    sizes = draw.integers(0, 21, rows)
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))
    total = int(sizes.sum())
    no_scalar, no_list = draw.random(rows) < 0.2, pa.array(draw.random(rows) < 0.1)

    def lists(elements: pa.Array) -> pa.Array:
        return pa.ListArray.from_arrays(offsets, elements, mask=no_list)

    return pa.table(
        {
            "item_id": _keys(rows),
            **_timestamps(rows),
            "category": pa.array([f"category {i}" for i in draw.integers(0, 300, rows)], mask=no_scalar),
            "brand": pa.array([f"Märke {i}" for i in draw.integers(0, 3_000, rows)]),
            "price": pa.array(draw.random(rows, np.float32) * 100, mask=no_scalar),
            "old_price": pa.array(draw.random(rows, np.float32) * 100),
            # Below 2**53, beyond which Feast's own conversion of a column with nulls is not exact.
            "first_seen_us": pa.array(draw.integers(1, 2_000_000_000_000_000, rows), mask=no_scalar),
            "companion_items": lists(pa.array([f"item-{i:08d}" for i in draw.integers(0, rows, total)])),
            "companion_shares": lists(pa.array(draw.random(total, np.float32))),
            "companion_us": lists(pa.array(draw.integers(0, 2_000_000_000_000_000, total))),
        }
    )


TABLES: dict[str, Callable[[int], pa.Table]] = {"floats": floats_table, "mixed": mixed_table}
FIELDS: dict[str, dict[str, Any]] = {"floats": dict.fromkeys(FLOATS, Float32), "mixed": MIXED}


def feature_views(folder: Path) -> list[Any]:
    """The entity, both views, and a small copy of each to warm up with."""
    item = Entity(name="item", join_keys=["item_id"], value_type=ValueType.STRING)
    views = [
        FeatureView(
            name=name,
            entities=[item],
            ttl=timedelta(days=30),
            schema=[Field(name="item_id", dtype=String), *(Field(name=n, dtype=t) for n, t in fields.items())],
            source=FileSource(
                name=f"{name}_parquet",
                path=str(folder / f"{name}.parquet"),
                timestamp_field="event_timestamp",
                created_timestamp_column="created_timestamp",
            ),
        )
        for view, fields in FIELDS.items()
        for name in (view, f"{view}_warm_up")
    ]
    return [item, *views]


def write_tables(folder: Path, rows: int) -> None:
    for name, table in TABLES.items():
        pq.write_table(table(rows), folder / f"{name}.parquet")
        pq.write_table(table(WARM_UP_ROWS), folder / f"{name}_warm_up.parquet")


def settings_in(folder: Path) -> Settings:
    return Settings(_env_file=None, state_dir=folder / "var", data_dir=folder, dataset=PROJECT, redis_url=None)
