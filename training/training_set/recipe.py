"""The recipe of a training set, written beside it. A set that is built again by it has the same content hash."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.models.model_contract import ModelContract
from training.training_set.ranking_data import BadTrainingSet


@dataclass(frozen=True)
class Recipe:
    """``known_at``: data that became known later is left out. Hashes are SHA-256, in hexadecimal.

    ``feature_service_hash``: of the service's views and columns, and the versions of its features.
    ``entity_rows_hash``: of slates, candidates, labels and request facts. ``content_hash``: of the whole training set.
    """

    dataset: str
    feature_service: str
    feature_service_hash: str
    entity_rows_hash: str
    known_at: str
    split: dict[str, str]
    slates: int
    rows: int
    content_hash: str

    def write(self, path: Path) -> None:
        partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        partial.write_text(json.dumps(asdict(self), indent=2) + "\n")
        partial.replace(path)


def read_recipe(path: Path) -> Recipe:
    """Raises FileNotFoundError."""
    return Recipe(**json.loads(path.read_text()))


def required_recipe(path: Path) -> Recipe:
    """For what cannot do without a training set. Raises BadTrainingSet."""
    try:
        return read_recipe(path)
    except OSError as error:
        raise BadTrainingSet(f"{error.filename} is missing: run `python -m training.training_set`") from error


def feature_service_hash(contract: ModelContract) -> str:
    body = [contract.feature_service, contract.views, contract.versions, [asdict(f) for f in contract.features]]
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
