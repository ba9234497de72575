from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One MLflow database for all tests, because to make it takes seconds; each test has a data set of its own."""
    return tmp_path_factory.mktemp("state")
