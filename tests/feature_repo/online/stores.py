"""Writes by Feast's own Redis store and by ours, on one server, and Feast's own conversion from Arrow to rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import redis
from feast import Entity, FeatureView, Field, FileSource, RepoConfig
from feast.infra.online_stores.redis import RedisOnlineStore
from feast.types import FeastType, String
from feast.utils import _convert_arrow_to_proto

from feature_repo.online.rows import FeastRow
from feature_repo.online.store import ServedRedisOnlineStore
from infra.redis_server.endpoint import Endpoint

PROJECT = "shop"
OURS = "feature_repo.online.store.ServedRedisOnlineStore"


def repo_config(endpoint: Endpoint, kind: str = OURS, **online: Any) -> RepoConfig:
    return RepoConfig(
        project=PROJECT,
        provider="local",
        registry="unused.db",
        online_store={"type": kind, "connection_string": endpoint.feast_connection_string, **online},
        entity_key_serialization_version=3,
    )


def feature_view(
    features: Mapping[str, FeastType],
    keys: Mapping[str, FeastType] | None = None,
    *,
    name: str = "prices",
    path: Path = Path("prices.parquet"),
    created: bool = True,
    ttl: timedelta = timedelta(days=30),
    **more: Any,
) -> tuple[list[Entity], FeatureView]:
    keys = keys or {"item_id": String}
    entities = [Entity(name=f"{key}_entity", join_keys=[key], value_type=t.to_value_type()) for key, t in keys.items()]
    source = FileSource(
        name=f"{name}_source",
        path=str(path),
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp" if created else "",
    )
    schema = [Field(name=column, dtype=kind) for column, kind in {**keys, **features}.items()]
    arguments: dict[str, Any] = {"source": source, "ttl": ttl, **more}
    return entities, FeatureView(name=name, entities=entities, schema=schema, **arguments)


def feast_rows(table: pa.Table | pa.RecordBatch, view: FeatureView) -> list[FeastRow]:
    """Rows by Feast's own conversion, as in its local engine."""
    kinds = {field.name: field.dtype.to_value_type() for field in view.entity_columns}
    batch = table.combine_chunks().to_batches()[0] if isinstance(table, pa.Table) else table
    rows: list[FeastRow] = _convert_arrow_to_proto(batch, view, kinds)
    return rows


def write_by_feast(endpoint: Endpoint, view: FeatureView, rows: Sequence[FeastRow], **online: Any) -> None:
    """Write with Feast's own store."""
    RedisOnlineStore().online_write_batch(repo_config(endpoint, "redis", **online), view, list(rows), None)


def write_by_ours(endpoint: Endpoint, view: FeatureView, rows: Sequence[FeastRow], **online: Any) -> None:
    ServedRedisOnlineStore().online_write_batch(repo_config(endpoint, **online), view, list(rows), None)


def hashes(client: redis.Redis, *, ours_too: bool = False) -> dict[bytes, dict[bytes, bytes]]:
    """All hashes in Redis. ``ours_too``: with the fields that only our store has."""
    found: dict[bytes, dict[bytes, bytes]] = {key: client.hgetall(key) for key in client.scan_iter()}  # type: ignore[misc]
    if ours_too:
        return found
    return {
        key: {field: value for field, value in fields.items() if not field.startswith(b"_ct:")}
        for key, fields in found.items()
    }


def with_timestamps(
    rows: Mapping[str, Sequence[Any]], event: Sequence[datetime], created: Sequence[datetime]
) -> pa.Table:
    utc = pa.timestamp("us", "UTC")
    return pa.table({**rows, "event_timestamp": pa.array(event, utc), "created_timestamp": pa.array(created, utc)})
