"""The contract of the present code and schema, which a model's own contract is compared with."""

from __future__ import annotations

import hashlib
import json

from feature_repo.datasets.declarations.declaration_json import declaration_to_json
from feature_repo.definitions.checks import check
from feature_repo.definitions.view import FEATURE_SERVICE, SimilarColumn, View
from feature_repo.definitions.views import views
from feature_repo.derived.families import derived_versions
from feature_repo.model_features import STORED_VERSION, model_features
from feature_repo.schema import Declaration
from infra.models.model_contract import ContractFeature, ModelContract


def current_contract(project: str, declaration: Declaration) -> ModelContract:
    """Raises BadDefinitions where views and derived families do not fit together."""
    check(declaration)
    return ModelContract(
        project=project,
        feature_service=FEATURE_SERVICE,
        features=tuple(ContractFeature(f.name, f.dtype, f.source) for f in model_features(declaration)),
        views={view.name: _view_digest(view) for view in views(declaration)},
        versions={"stored": STORED_VERSION, **derived_versions()},
        declaration=json.loads(declaration_to_json(declaration)),
    )


def _view_digest(view: View) -> str:
    """Over what changes a value: entity, ttl, and the columns' names and dtypes in order. Descriptions may change."""
    columns = [
        (column.name, column.dtype.value)
        + ((column.similar_to, column.similarity) if isinstance(column, SimilarColumn) else ())
        for column in view.columns
    ]
    return hashlib.sha256(json.dumps([view.keys or view.entity, view.ttl_us, columns]).encode()).hexdigest()[:16]
