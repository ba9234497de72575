"""All derived families, in the order of the model's features."""

from __future__ import annotations

import numpy as np

from feature_repo.derived import ages, history, request, session, together
from feature_repo.derived.family import Column, Family
from feature_repo.schema import Declaration, Feature
from feature_repo.slate import Slate

FAMILIES: tuple[Family, ...] = (
    history.FAMILY,
    session.FAMILY,
    together.FAMILY,
    ages.FAMILY,
    request.FAMILY,
)


def derived_features(declaration: Declaration) -> tuple[Feature, ...]:
    """The features that :func:`derived_columns` computes, in its order."""
    return tuple(feature for family in FAMILIES for feature in family.features(declaration))


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
