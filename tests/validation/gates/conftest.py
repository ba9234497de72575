"""A small data set that passes all gates, and settings that name it."""

import pytest

from infra.settings import Settings
from tests.validation.canonical import good_rows, write
from validation.gates.docs import SuiteRunner


@pytest.fixture
def settings(tmp_path, monkeypatch) -> Settings:
    monkeypatch.setenv("RERANK_DATASET", "tiny")
    monkeypatch.setenv("RERANK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("RERANK_STATE_DIR", str(tmp_path / "var"))
    return Settings()


@pytest.fixture
def sound(settings) -> Settings:
    write(settings, good_rows())
    return settings


@pytest.fixture
def without_docs(monkeypatch) -> None:
    """Without Data Docs, which take half of the time of a small run."""
    monkeypatch.setattr(SuiteRunner, "build", lambda runner: None)
