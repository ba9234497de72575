"""What a model and its scorer must agree on before one row is scored."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

RankerKind = Literal["lightgbm", "baseline"]
CATEGORY = "category"  # dtype of an input that is a code of the model's vocabulary


@dataclass(frozen=True)
class ContractFeature:
    """One model input, in the order of the matrix columns. ``dtype``: float32 or CATEGORY."""

    name: str
    dtype: str
    source: str


@dataclass(frozen=True)
class ModelContract:
    """The inputs a model was trained on.

    views:       feature view -> digest of its entity, ttl and columns
    versions:    family of features -> the version of the code that computes it, raised when its values change
    declaration: the data set's own columns, as JSON

    Two contracts are the same when names, dtypes, order, views and versions are. Titles, descriptions, units and
    ranges are carried along and not compared.
    """

    project: str
    feature_service: str
    features: tuple[ContractFeature, ...]
    views: dict[str, str]
    versions: dict[str, int]
    declaration: dict[str, Any]

    @property
    def contract_hash(self) -> str:
        compared = {**asdict(self), "declaration": _compared(self.declaration)}
        return hashlib.sha256(json.dumps(compared, sort_keys=True).encode()).hexdigest()

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)

    def differences(self, other: ModelContract) -> list[str]:
        """What differs, one sentence each, from self (the model) to other (the scorer)."""
        found = []
        for field in ("project", "feature_service"):
            if getattr(self, field) != getattr(other, field):
                found.append(f"{field}: the model has {getattr(self, field)!r}, the scorer {getattr(other, field)!r}")
        of_model = {f.name: f for f in self.features}
        of_scorer = {f.name: f for f in other.features}
        found += [f"feature {name!r}: unknown to the scorer" for name in of_model if name not in of_scorer]
        found += [f"feature {name!r}: unknown to the model" for name in of_scorer if name not in of_model]
        for name in of_model.keys() & of_scorer.keys():
            if of_model[name] != of_scorer[name]:
                found.append(f"feature {name!r}: the model has {of_model[name]}, the scorer {of_scorer[name]}")
        if not found and self.features != other.features:
            found.append("features: the same names in another order")
        for view in sorted(self.views.keys() | other.views.keys()):
            if self.views.get(view) != other.views.get(view):
                found.append(f"feature view {view!r}: its entity, ttl or columns differ")
        for family in sorted(self.versions.keys() | other.versions.keys()):
            if self.versions.get(family) != other.versions.get(family):
                found.append(
                    f"{family} features: the model has version {self.versions.get(family)}, "
                    f"the scorer {other.versions.get(family)}"
                )
        trained_on, declared = _compared(self.declaration), _compared(other.declaration)
        for part in trained_on:
            if trained_on[part] != declared[part]:
                found.append(f"declaration, {part}: the model has {trained_on[part]!r}, the scorer {declared[part]!r}")
        return found

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> ModelContract:
        """Raises KeyError, TypeError or ValueError where the text is not a contract."""
        body = json.loads(text)
        if "derived_version" in body:
            raise ValueError("its contract was written by an older release: train again (python -m training.train)")
        body["features"] = tuple(ContractFeature(**feature) for feature in body["features"])
        return ModelContract(**body)


def _compared(declaration: dict[str, Any]) -> dict[str, Any]:
    """Name, time zone, and the declared columns' names and dtypes in order."""
    compared = {part: declaration.get(part) for part in ("name", "timezone")}
    for group in ("item_extras", "facts", "context"):
        compared[group] = [(column["name"], column["dtype"]) for column in declaration.get(group, ())]
    return compared
