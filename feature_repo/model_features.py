"""The ranker's inputs, explicit and ordered, and the matrix they make."""

from __future__ import annotations

from functools import cache

import numpy as np

from feature_repo.derived import derive, derived_features
from feature_repo.schema import Declaration, DType, Feature, views
from feature_repo.slate import Floats, Slate


@cache  # asked for at every slate
def model_features(declaration: Declaration) -> tuple[Feature, ...]:
    """Every input of the ranker: Float32 view columns, derived features, then request facts."""
    stored = tuple(
        Feature(column.name, view.name, column.description, column.unit)
        for view in views(declaration)
        for column in view.columns
        if column.dtype is DType.FLOAT32
    )
    sent = tuple(Feature(fact.name, "request", fact.description, fact.unit) for fact in declaration.facts)
    return (*stored, *derived_features(declaration), *sent)


def feature_matrix(slate: Slate, declaration: Declaration) -> Floats:
    """(n, len(model_features)) float32 in the order of :func:`model_features`, NaN where unknown."""
    derived = derive(slate, declaration)
    entity_of = {view.name: view.entity for view in views(declaration)}
    features = model_features(declaration)
    matrix = np.empty((len(slate), len(features)), dtype=np.float32)
    for j, feature in enumerate(features):
        if feature.source == "derived":
            matrix[:, j] = derived[feature.name]
        elif feature.source == "request":
            matrix[:, j] = slate.facts.get(feature.name, np.nan)
        elif entity_of[feature.source] == "item":
            matrix[:, j] = slate.items[feature.name]
        else:
            row = slate.user if entity_of[feature.source] == "user" else slate.session
            value = row.get(feature.name)
            matrix[:, j] = np.nan if value is None else value
    return matrix
