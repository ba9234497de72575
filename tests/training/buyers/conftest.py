from __future__ import annotations

import pytest

from infra.settings import Settings
from tests.training.buyers.small_shop import small_shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Settings:
    return small_shop(tmp_path_factory.mktemp("buyers"))
