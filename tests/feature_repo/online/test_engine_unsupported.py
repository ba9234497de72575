"""Views that the bulk engine does not support: Feast's own engine materializes them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import redis
from feast import BatchFeatureView, FeatureStore, Field, RepoConfig
from feast.infra.common.materialization_job import MaterializationJobStatus
from feast.infra.compute_engines.local.compute import LocalComputeEngine
from feast.infra.compute_engines.local.job import LocalMaterializationJob
from feast.types import Float32, String

from infra.redis_server.endpoint import Endpoint
from tests.feature_repo.online.price_table import (
    DAY,
    KNOWN,
    features,
    online,
    register,
    runs,
    write_prices,
)
from tests.feature_repo.online.stores import feature_view


@pytest.fixture(autouse=True)
def _log_warnings(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.WARNING):
        yield


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"enable_validation": True}, "its rows must be validated"),
        ({"offline": True}, "it is written to the offline store too"),
    ],
)
def test_feast_materializes_an_unsupported_view_with_a_warning(
    store: FeatureStore,
    client: redis.Redis,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    more: dict[str, Any],
    reason: str,
) -> None:
    write_prices(tmp_path / "p.parquet", [("a", KNOWN, KNOWN, 1.0)])
    table = pq.read_table(tmp_path / "p.parquet")
    order = [
        "item_id",
        "price",
        "event_timestamp",
        "created_timestamp",
    ]  # the order in which Feast writes to the offline store
    pq.write_table(table.select(order), tmp_path / "p.parquet")
    register(store, tmp_path / "p.parquet", **more)
    with caplog.at_level(logging.WARNING):
        store.materialize(KNOWN - DAY, KNOWN + DAY)
    assert f"feature view prices is materialized by Feast's slow engine: {reason}" in caplog.text
    assert online(store, "a") == [1.0]
    (run,) = runs(client)
    assert run.finished
    assert run.rows is None


def test_feast_materializes_a_view_with_a_transformation(
    store: FeatureStore,
    client: redis.Redis,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Feast's engine is replaced here: with a DuckDB store, Feast 0.67 reads no columns for such a view and fails."""
    path = tmp_path / "p.parquet"
    write_prices(path, [("a", KNOWN, KNOWN, 1.5)])
    entities, plain = feature_view({"price": Float32}, path=path)
    view = BatchFeatureView(
        name="prices",
        entities=entities,
        mode="pandas",
        udf=lambda frame: frame,
        udf_string="lambda frame: frame",
        ttl=plain.ttl,
        schema=[Field(name="item_id", dtype=String), Field(name="price", dtype=Float32)],
        source=plain.batch_source,
        online=True,
    )
    store.apply([*entities, view])
    done = LocalMaterializationJob("feast's", MaterializationJobStatus.SUCCEEDED)
    monkeypatch.setattr(LocalComputeEngine, "_materialize_one", lambda *_, **__: done)
    store.materialize(KNOWN - DAY, KNOWN + DAY)
    assert "it is a BatchFeatureView; it has a transformation" in caplog.text
    assert features(client) == {}
    assert [run.rows for run in runs(client) if run.finished] == [None]


def test_feast_materializes_into_another_online_store(
    config: dict[str, Any], client: redis.Redis, endpoint: Endpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    online_store = {"type": "redis", "connection_string": endpoint.feast_connection_string}
    store = FeatureStore(config=RepoConfig(**config | {"online_store": online_store}))
    write_prices(tmp_path / "p.parquet", [("a", KNOWN, KNOWN, 1.0)])
    register(store, tmp_path / "p.parquet")
    store.materialize(KNOWN - DAY, KNOWN + DAY)
    assert "the online store is a RedisOnlineStore" in caplog.text
    assert online(store, "a") == [1.0]
    assert runs(client) == []
