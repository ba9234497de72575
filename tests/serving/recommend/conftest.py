"""One shop with a recommender for all tests of the package."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from infra.clock import FixedClock
from infra.settings import Settings
from serving.api.app import create_app
from tests.serving import world
from tests.serving.recommend import shelf


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with shelf.shop(tmp_path_factory.mktemp("recommend")) as made:
        yield made


@pytest.fixture(scope="session")
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings, FixedClock(world.NOW))) as made:
        yield made
