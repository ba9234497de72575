"""The files of a user in a test's own folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.settings import Settings
from tests.feature_repo.datasets.files.own_files import OwnFiles


@pytest.fixture
def own(tmp_path: Path, settings: Settings) -> OwnFiles:
    return OwnFiles(tmp_path, settings)
