"""One shop with a recommender for all tests of the package."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from infra.settings import Settings
from tests.serving.recommend import shelf


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with shelf.shop(tmp_path_factory.mktemp("recommend")) as made:
        yield made


@pytest.fixture(scope="session")
def client(settings: Settings) -> Iterator[TestClient]:
    with shelf.served(settings) as made:
        yield made
