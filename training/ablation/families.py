"""The feature families: the stored features by view, the derived ones by family, what requests and sources say, and
the categories of the built-in views and of the context."""

from __future__ import annotations

from feature_repo.definitions.views import views
from feature_repo.derived.families import FAMILIES
from feature_repo.model_features import model_features
from feature_repo.schema import Declaration
from infra.models.model_contract import CATEGORY

FACTS = "request_facts"  # what the caller of /score sends; the derived family ``request`` is of the list itself
SOURCES = "source_columns"
CATEGORIES = "categories"  # a view over a table of a user's own keeps its categories


def feature_families(declaration: Declaration) -> dict[str, tuple[str, ...]]:
    """Family -> its features, in the order of the ranker's features. No family is empty."""
    derived = {feature.name: family.name for family in FAMILIES for feature in family.features}
    own = {view.name for view in views(declaration) if view.origin is not None}
    found: dict[str, list[str]] = {}
    for feature in model_features(declaration):
        family = FACTS if feature.source == "request" else derived.get(feature.name, feature.source)
        family = CATEGORIES if feature.dtype == CATEGORY and feature.source not in own else family
        found.setdefault(family, []).append(feature.name)
    return {name: tuple(features) for name, features in found.items()}
