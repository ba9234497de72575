"""The eight shapes at their small size, written once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from tests.shapes.__main__ import write_shape
from tests.shapes.truth import Truth


@dataclass(frozen=True)
class Written:
    """``folder`` holds the files, ``truth`` is what they were drawn from."""

    folder: Path
    truth: Truth


@pytest.fixture(scope="session")
def shape(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Written]:
    """Name -> the written shape."""

    @cache
    def written(name: str) -> Written:
        folder = tmp_path_factory.mktemp("shapes") / name
        return Written(folder, write_shape(name, folder, size=import_module(f"tests.shapes.{name}").SMALL))

    return written
