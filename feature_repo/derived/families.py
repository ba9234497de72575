"""All derived families: those of this folder, each in the file of its name."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np

from feature_repo.datasets.errors import DatasetError
from feature_repo.definitions.view import Feature
from feature_repo.derived.family import Column, Family
from feature_repo.schema import Declaration
from feature_repo.slate import Slate

FOLDER = Path(__file__).parent
NOT_FAMILIES = ("__init__", "categories", "families", "family", "typed")
FIRST = ("history", "session", "together", "ages", "request")  # in the model's features; then by name


class BadFamily(DatasetError):
    """A file of this folder that holds no family, or one that reads or gives what it cannot."""


def found_in(folder: Path) -> tuple[Family, ...]:
    """Raises BadFamily."""
    names = sorted(path.stem for path in folder.glob("*.py") if path.stem not in NOT_FAMILIES)
    known = [name for name in FIRST if name in names]
    return tuple(_family(name) for name in (*known, *(name for name in names if name not in FIRST)))


def _family(name: str) -> Family:
    file = f"feature_repo/derived/{name}.py"
    try:
        family = getattr(importlib.import_module(f"feature_repo.derived.{name}"), name, None)
    except Exception as error:  # whatever a user's module raises
        raise BadFamily(f"{file} cannot be executed: {type(error).__name__}: {error}") from error
    if not isinstance(family, Family):
        raise BadFamily(f"{file} holds no family {name}: it needs a function of this name under @derived(...)")
    return family


FAMILIES = found_in(FOLDER)


def derived_features() -> tuple[Feature, ...]:
    """The features that :func:`derived_columns` computes, in its order."""
    return tuple(feature for family in FAMILIES for feature in family.features)


def derived_columns(slate: Slate, declaration: Declaration) -> dict[str, Column]:
    """All derived features of one slate, before they are rounded to float32."""
    columns: dict[str, Column] = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for family in FAMILIES:
            columns |= family.columns(slate, declaration)
    return columns


def derived_versions() -> dict[str, int]:
    """Family -> its version."""
    return {family.name: family.version for family in FAMILIES}
