"""How the matrix of a logged slate is made again: by the kind of the slate and the model version that scored it.

The version has the vocabulary of the categories, and for ``/recommend`` the sources.
"""

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
from infra.models.vocabulary import Vocabulary
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
    """``settings``: those of the served system, where the registry is."""

    def __init__(self, settings: Settings, declaration: Declaration) -> None:
        self._settings = settings
        self._declaration = declaration
        self._score_hash = current_contract(settings.dataset, declaration).contract_hash
        self._of_version: dict[tuple[str, str], Recomputed | None] = {}  # by name and version of the model

    def of(self, record: ScoreRecord) -> Recomputed | None:
        """None where the code of today has another contract, or the version cannot be loaded."""
        if record.kind != RECOMMEND and record.contract_hash != self._score_hash:
            return None
        key = (record.model_name, record.model_version)
        if key not in self._of_version:
            self._of_version[key] = self._recomputed(record)
        found = self._of_version[key]
        return found if found is not None and found.contract_hash == record.contract_hash else None

    def _recomputed(self, record: ScoreRecord) -> Recomputed | None:
        try:
            store = ModelStore(self._settings, record.model_name)
            version = store.client.get_model_version(record.model_name, record.model_version)
            if record.kind != RECOMMEND:
                return self._scored(store.load_version(version).ranker.vocabulary)
            model, sources = store.load_version_with(version, _read)
            return self._recommended(model.ranker.vocabulary, sources)
        except (ModelStoreError, MlflowException):
            return None

    def _scored(self, vocabulary: Vocabulary) -> Recomputed:
        return Recomputed(
            model_features(self._declaration),
            self._score_hash,
            partial(feature_matrix, declaration=self._declaration, coder=vocabulary),
        )

    def _recommended(self, vocabulary: Vocabulary, sources: Sources) -> Recomputed:
        declaration = self._declaration

        def matrix(slate: Slate) -> Floats:
            return recommend_matrix(slate, declaration, source_columns(slate, sources), vocabulary)

        return Recomputed(
            recommend_features(declaration, sources),
            recommend_contract(self._settings.dataset, declaration, sources).contract_hash,
            matrix,
        )


def _read(folder: Path) -> Sources:
    return Sources.load(folder / SOURCES_FOLDER)
