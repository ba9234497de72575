"""What a model and its scorer must agree on before one row is scored."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class ContractFeature:
    """One model input, in the order of the matrix columns."""

    name: str
    dtype: str
    source: str


@dataclass(frozen=True)
class ModelContract:
    """The inputs a model was trained on.

    ``views`` maps each feature view to a digest of its schema and ttl; ``derived_version`` is a digest of
    the source text that computes the derived features; ``declaration`` is the data set's own, as JSON.
    """

    project: str
    feature_service: str
    features: tuple[ContractFeature, ...]
    views: dict[str, str]
    derived_version: str
    declaration: dict[str, Any]

    @property
    def contract_hash(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)

    def differences(self, other: ModelContract) -> list[str]:
        """What differs, one sentence each, seen from self (the model) to other (the scorer)."""
        found = []
        for field in ("project", "feature_service", "derived_version", "declaration"):
            if getattr(self, field) != getattr(other, field):
                found.append(f"{field}: the model has {getattr(self, field)!r}, the scorer {getattr(other, field)!r}")
        mine = {f.name: f for f in self.features}
        theirs = {f.name: f for f in other.features}
        found += [f"feature {name!r}: unknown to the scorer" for name in mine if name not in theirs]
        found += [f"feature {name!r}: unknown to the model" for name in theirs if name not in mine]
        for name in mine.keys() & theirs.keys():
            if mine[name] != theirs[name]:
                found.append(f"feature {name!r}: the model has {mine[name]}, the scorer {theirs[name]}")
        if not found and self.features != other.features:
            found.append("features: same names, other order")
        for view in sorted(self.views.keys() | other.views.keys()):
            if self.views.get(view) != other.views.get(view):
                found.append(f"feature view {view!r}: schema or ttl differ")
        return found

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> ModelContract:
        """Raises KeyError, TypeError or ValueError where the text is not a contract."""
        body = json.loads(text)
        body["features"] = tuple(ContractFeature(**feature) for feature in body["features"])
        return ModelContract(**body)


RankerKind = Literal["lightgbm", "baseline"]
