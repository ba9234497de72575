"""Settings that write below a test's own folder."""

from pathlib import Path

import pytest

from infra.settings import Settings


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
