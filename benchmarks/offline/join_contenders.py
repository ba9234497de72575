"""Point-in-time joins that can be had: each is prepared with its frame and then returns one Arrow table a call.

The first three claim the whole contract: inclusive bound, ttl, newest created among ties, every row once, in order.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Float32, String

from benchmarks.offline.join_data import VIEWS, BenchView, entity_path, ttl_days
from infra.duckdb_connection import open_database

Join = Callable[[], pa.Table]


def frame(folder: Path) -> pa.Table:
    return pq.read_table(entity_path(folder))


def ours(folder: Path, memory_limit: str) -> Join:
    return _retrieval(asof_store(folder, memory_limit), folder, frame(folder))


def ours_from_pandas(folder: Path, memory_limit: str) -> Join:
    return _retrieval(asof_store(folder, memory_limit), folder, frame(folder).to_pandas())


def feast_duckdb(folder: Path, memory_limit: str) -> Join:
    """Feast's own; it takes no memory limit, and returns the rows in no order."""
    warnings.filterwarnings("ignore", "fetch_arrow_table", DeprecationWarning)
    return _retrieval({"type": "duckdb"}, folder, frame(folder).to_pandas())


def chained_sql(folder: Path, memory_limit: str) -> Join:
    """One statement: an ASOF JOIN after the other on (event, created) in one number, put into order at the end."""
    version = f"epoch_us(event_timestamp) * {2**64}::HUGEINT + epoch_us(created_timestamp)"
    joins = " ".join(
        f"ASOF LEFT JOIN (SELECT *, {version} AS version FROM '{view.path(folder)}') {view.name} "
        f"ON e.{view.key} = {view.name}.{view.key} AND e.bound >= {view.name}.version"
        for view in VIEWS
    )
    features = ", ".join(_unless_expired(view, ttl_days(folder)) for view in VIEWS)
    return _sql(
        folder,
        memory_limit,
        f"""
        SELECT e.* EXCLUDE (number, bound), {features} FROM (
            SELECT *, row_number() OVER () AS number,
                epoch_us(event_timestamp) * {2**64}::HUGEINT + {2**63 - 1} AS bound FROM frame
        ) e {joins} ORDER BY number
        """,
    )


def deduplicated_sql(folder: Path, memory_limit: str) -> Join:
    """One statement: ties removed by a window first, then plain ASOF JOINs, put into order at the end."""
    joins = " ".join(
        f"""ASOF LEFT JOIN (
            SELECT * FROM '{view.path(folder)}'
            QUALIFY row_number() OVER (PARTITION BY {view.key}, event_timestamp ORDER BY created_timestamp DESC) = 1
        ) {view.name} ON e.{view.key} = {view.name}.{view.key} AND e.event_timestamp >= {view.name}.event_timestamp"""
        for view in VIEWS
    )
    features = ", ".join(_unless_expired(view, ttl_days(folder)) for view in VIEWS)
    return _sql(
        folder,
        memory_limit,
        f"""
        SELECT e.* EXCLUDE (number), {features}
        FROM (SELECT *, row_number() OVER () AS number FROM frame) e {joins} ORDER BY number
        """,
    )


def bare_asof(folder: Path, memory_limit: str) -> Join:
    """No ttl, ties as they fall, no order."""
    joins = " ".join(
        f"ASOF LEFT JOIN '{view.path(folder)}' {view.name} "
        f"ON e.{view.key} = {view.name}.{view.key} AND e.event_timestamp >= {view.name}.event_timestamp"
        for view in VIEWS
    )
    features = ", ".join(f"{view.name}.{name}" for view in VIEWS for name in view.columns)
    return _sql(folder, memory_limit, f"SELECT e.*, {features} FROM frame e {joins}")


def polars_asof(folder: Path, memory_limit: str) -> Join:
    """``join_asof`` with the ttl as tolerance; ties as they fall. Sorted by time, as it must be, and put back."""
    unsorted = pl.from_arrow(frame(folder))
    assert isinstance(unsorted, pl.DataFrame)

    def join() -> pa.Table:
        rows = unsorted.with_row_index("number").sort("event_timestamp")
        for view in VIEWS:
            source = pl.read_parquet(view.path(folder)).drop("created_timestamp").sort("event_timestamp")
            rows = rows.join_asof(
                source,
                on="event_timestamp",
                by=view.key,
                tolerance=timedelta(days=ttl_days(folder)),
                check_sortedness=False,
            )
        return rows.sort("number").drop("number").to_arrow()

    return join


CONTRACT: dict[str, Callable[[Path, str], Join]] = {
    "ours": ours,
    "ours_from_pandas": ours_from_pandas,
    "chained_sql": chained_sql,
    "deduplicated_sql": deduplicated_sql,
    "feast_duckdb": feast_duckdb,
}
LOOSE: dict[str, Callable[[Path, str], Join]] = {"bare_asof": bare_asof, "polars_asof": polars_asof}


def references(views: tuple[BenchView, ...]) -> list[str]:
    return [f"{view.name}:{name}" for view in views for name in view.columns]


def _unless_expired(view: BenchView, days: int) -> str:
    valid = f"{view.name}.event_timestamp + INTERVAL {days} DAY >= e.event_timestamp"
    return ", ".join(f"CASE WHEN {valid} THEN {view.name}.{name} END AS {name}" for name in view.columns)


def _sql(folder: Path, memory_limit: str, statement: str) -> Join:
    connection = open_database(memory_limit, 2, folder / "spill")
    connection.register("frame", frame(folder))
    return lambda: connection.sql(statement).to_arrow_table()


def _retrieval(offline: dict[str, Any], folder: Path, rows: Any) -> Join:
    store = feature_store(folder, VIEWS, offline)
    return lambda: store.get_historical_features(rows, references(VIEWS)).to_arrow()


def asof_store(folder: Path, memory_limit: str) -> dict[str, Any]:
    return {
        "type": "feature_repo.offline.store.AsofOfflineStore",
        "memory_limit": memory_limit,
        "threads": 2,
        "spill_folder": str(folder / "spill"),
    }


def feature_store(folder: Path, views: tuple[BenchView, ...], offline: dict[str, Any]) -> FeatureStore:
    state = Path(tempfile.mkdtemp(dir=folder))
    store = FeatureStore(
        config=RepoConfig(
            project="bench",
            provider="local",
            registry=str(state / "registry.db"),
            offline_store=offline,
            online_store={"type": "sqlite", "path": str(state / "online.db")},
            entity_key_serialization_version=3,
            repo_path=folder,
        )
    )
    entities = {
        name: Entity(name=name, join_keys=[f"{name}_id"], value_type=ValueType.STRING) for name in ("item", "user")
    }
    store.apply([*entities.values(), *(_feature_view(view, entities[view.entity], folder) for view in views)])
    return store


def _feature_view(view: BenchView, entity: Entity, folder: Path) -> FeatureView:
    return FeatureView(
        name=view.name,
        entities=[entity],
        ttl=timedelta(days=ttl_days(folder)),
        schema=[Field(name=view.key, dtype=String), *(Field(name=name, dtype=Float32) for name in view.columns)],
        source=FileSource(
            name=f"{view.name}_parquet",
            path=str(view.path(folder)),
            timestamp_field="event_timestamp",
            created_timestamp_column="created_timestamp",
        ),
    )
