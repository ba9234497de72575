"""One embedded Redis for all tests of the online store. Each test starts with an empty Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from feast import FeatureStore, RepoConfig

from infra.redis_server import server as redis_server
from infra.redis_server.endpoint import Endpoint
from infra.settings import Settings
from tests.feature_repo.online.price_table import BULK
from tests.feature_repo.online.stores import OURS, PROJECT


@pytest.fixture(scope="package")
def redis_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("online")
    settings = Settings(
        _env_file=None, state_dir=folder / "var", data_dir=folder / "data", dataset=PROJECT, redis_url=None
    )
    redis_server.start(settings)
    yield settings
    redis_server.stop(settings)


@pytest.fixture(scope="package")
def endpoint(redis_settings: Settings) -> Endpoint:
    return redis_server.endpoint(redis_settings)


@pytest.fixture
def client(endpoint: Endpoint) -> Iterator[redis.Redis]:
    with endpoint.client(10) as client:
        client.flushall()
        yield client


@pytest.fixture(params=["duckdb", "feature_repo.offline.store.AsofOfflineStore"])
def config(request: pytest.FixtureRequest, endpoint: Endpoint, tmp_path: Path) -> dict[str, Any]:
    """With each offline store: Feast's, which returns a table, and ours, which returns a stream of batches."""
    return {
        "project": PROJECT,
        "provider": "local",
        "registry": str(tmp_path / "registry.db"),
        "offline_store": {"type": request.param},
        "online_store": {"type": OURS, "connection_string": endpoint.feast_connection_string},
        "batch_engine": {"type": BULK},
        "entity_key_serialization_version": 3,
        "repo_path": tmp_path,
    }


@pytest.fixture
def store(config: dict[str, Any], client: redis.Redis) -> FeatureStore:
    return FeatureStore(config=RepoConfig(**config))
