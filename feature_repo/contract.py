"""The contract of the present code and schema, to be compared with a model's."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from feature_repo import derived, model_features
from feature_repo.datasets.declarations.declaration_json import declaration_to_json
from feature_repo.schema import FEATURE_SERVICE, Declaration, View, views
from infra.models.model_contract import ContractFeature, ModelContract


def current_contract(project: str, declaration: Declaration) -> ModelContract:
    return ModelContract(
        project=project,
        feature_service=FEATURE_SERVICE,
        features=tuple(ContractFeature(f.name, f.dtype, f.source) for f in model_features.model_features(declaration)),
        views={view.name: _view_digest(view) for view in views(declaration)},
        derived_version=_source_digest(),
        declaration=json.loads(declaration_to_json(declaration)),
    )


def _view_digest(view: View) -> str:
    return hashlib.sha256(json.dumps(asdict(view), sort_keys=True, default=str).encode()).hexdigest()[:16]


def _source_digest() -> str:
    """Over the text of the modules that turn stored values into the model's matrix."""
    texts = [Path(str(module.__file__)).read_bytes() for module in (derived, model_features)]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:16]
