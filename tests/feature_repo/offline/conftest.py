"""A feature store of prices and stock, one per test module."""

from pathlib import Path

import pytest
from feast import FeatureStore

from tests.feature_repo.offline.price_store import applied_store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def store(folder: Path) -> FeatureStore:
    return applied_store(folder)
