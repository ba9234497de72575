"""The servers of the live part: two for each module, both empty for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from infra.redis_server.server import EVENTS, FEATURES
from infra.settings import Settings
from tests.feature_repo.live.redis_servers import emptied, events_client, two_servers


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with two_servers(tmp_path_factory.mktemp("live")) as made:
        yield made


@pytest.fixture
def events(servers: Settings) -> Iterator[redis.Redis]:
    with emptied(servers, EVENTS) as client:
        yield client


@pytest.fixture
def features(servers: Settings) -> Iterator[redis.Redis]:
    with emptied(servers, FEATURES) as client:
        yield client


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    with events_client(tmp_path_factory.mktemp("events")) as found:
        yield found
