"""One embedded Redis for all tests of the online store, emptied before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from infra.redis_server import server as redis_server
from infra.redis_server.endpoint import Endpoint
from infra.settings import Settings
from tests.feature_repo.online.stores import PROJECT


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
