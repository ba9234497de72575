"""The feature families: the stored features by view, the derived ones by family, and what requests and sources say."""

from __future__ import annotations

from feature_repo.derived.families import FAMILIES
from feature_repo.model_features import model_features
from feature_repo.schema import Declaration

FACTS = "request_facts"  # what the caller of /score sends; the derived family ``request`` is of the list itself
SOURCES = "source_columns"


def feature_families(declaration: Declaration) -> dict[str, tuple[str, ...]]:
    """Family -> its features, in the order of the ranker's features. No family is empty."""
    derived = {feature.name: family.name for family in FAMILIES for feature in family.features(declaration)}
    found: dict[str, list[str]] = {}
    for feature in model_features(declaration):
        family = FACTS if feature.source == "request" else derived.get(feature.name, feature.source)
        found.setdefault(family, []).append(feature.name)
    return {name: tuple(features) for name, features in found.items()}
