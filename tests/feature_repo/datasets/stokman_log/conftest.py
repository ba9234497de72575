"""A sample of stokman over a month and its log, which several files look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from feature_repo.datasets.samples.stokman.sample import write_sample
from infra.settings import Settings
from tests.feature_repo.datasets.stokman_source import Query, adapt


@pytest.fixture(scope="session")
def month(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Query]:
    """(folder of the four files, query function on the log)."""
    folder = tmp_path_factory.mktemp("month")
    write_sample(folder / "source", users=400, rows=16_000, seed=5, items=300, days=24)
    settings = Settings(_env_file=None, dataset="stokman", data_dir=folder, state_dir=folder / "var")
    return folder / "source", adapt(folder / "source", folder / "log", settings)
