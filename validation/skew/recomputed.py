"""How the matrix of a logged slate is made again: by the kind of the slate and the model version that scored it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mlflow.exceptions import MlflowException

from feature_repo.candidates.stage_two_features import (
    recommend_contract,
    recommend_features,
    recommend_matrix,
    source_columns,
)
from feature_repo.candidates.union import Sources
from feature_repo.contract import current_contract
from feature_repo.definitions.view import Feature
from feature_repo.live.score_records import RECOMMEND, ScoreRecord
from feature_repo.model_features import feature_matrix, model_features
from feature_repo.schema import Declaration
from feature_repo.slate import Floats, Slate
from infra.models.model_store import ModelStore, ModelStoreError
from infra.settings import Settings
from validation.skew.causes.case import MatrixOf

SOURCES_FOLDER = "sources"


@dataclass(frozen=True)
class Recomputed:
    """``matrix``: (n, f) of a slate, whose columns are ``features``, under the contract of the present code."""

    features: Sequence[Feature]
    contract_hash: str
    matrix: MatrixOf


class Recomputation:
    """Slates of ``/recommend`` are recomputed with the sources of the model version that scored them.

    ``settings``: those of the served system, where the registry is.
    """

    def __init__(self, settings: Settings, declaration: Declaration) -> None:
        self._settings = settings
        self._declaration = declaration
        self._score = Recomputed(
            model_features(declaration),
            current_contract(settings.dataset, declaration).contract_hash,
            partial(feature_matrix, declaration=declaration),
        )
        self._recommend: dict[tuple[str, str], Recomputed | None] = {}  # by name and version of the model

    def of(self, record: ScoreRecord) -> Recomputed | None:
        """None where the code of today has another contract, or the sources of the version cannot be loaded."""
        found = self._of_version(record) if record.kind == RECOMMEND else self._score
        return found if found is not None and found.contract_hash == record.contract_hash else None

    def _of_version(self, record: ScoreRecord) -> Recomputed | None:
        key = (record.model_name, record.model_version)
        if key not in self._recommend:
            sources = self._sources(record)
            self._recommend[key] = None if sources is None else self._recomputed(sources)
        return self._recommend[key]

    def _sources(self, record: ScoreRecord) -> Sources | None:
        try:
            store = ModelStore(self._settings, record.model_name)
            version = store.client.get_model_version(record.model_name, record.model_version)
            return store.load_version_with(version, _read)[1]
        except (ModelStoreError, MlflowException):
            return None

    def _recomputed(self, sources: Sources) -> Recomputed:
        declaration = self._declaration

        def matrix(slate: Slate) -> Floats:
            return recommend_matrix(slate, declaration, source_columns(slate, sources))

        return Recomputed(
            recommend_features(declaration, sources),
            recommend_contract(self._settings.dataset, declaration, sources).contract_hash,
            matrix,
        )


def _read(folder: Path) -> Sources:
    return Sources.load(folder / SOURCES_FOLDER)
