"""Settings that write below a test's own folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.settings import Settings
from tests.feature_repo.datasets.stokman_source import Query, Source, adapt


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        _env_file=None,
        dataset="mine",
        data_dir=tmp_path / "data",
        state_dir=tmp_path / "var",
        duckdb_memory_limit="1GB",
    )


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The folder for the log. It does not exist yet."""
    return tmp_path / "logs" / "log"


@pytest.fixture
def log_of(tmp_path: Path, out: Path, settings: Settings) -> Callable[..., Query]:
    """Makes the log of a :class:`Source` of stokman, given as its fields, and returns a query function on it."""

    def make(size: int | None = None, **fields: Any) -> Query:
        return adapt(Source(**fields).write(tmp_path / "source"), out, settings, size)

    return make
