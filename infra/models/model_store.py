"""The model registry: training registers rankers here and serving loads the champion.

The artifact of a version is a folder with the ranker (see :mod:`infra.models.ranker`) and ``contract.json``, without
pickles, and further folders that are registered with it. mlflow-skinny is enough to read it.

    ModelStoreError
    ├── NoModel      no model has the name, or no version has the alias
    └── BrokenModel  the version's files are missing or do not fit together
        └── RefusedVersion  a child process did not survive loading the model; loading it again ends the same way
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.environment_variables import MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR
from mlflow.exceptions import MlflowException

from infra.models.model_contract import CATEGORY, ModelContract, RankerKind
from infra.models.model_trial import RefusedModel, try_ranker
from infra.models.ranker import BadModel, Ranker, load_ranker
from infra.models.tracking import artifact_location, open_client
from infra.models.trees.compiled_trees import NOT_COMPILED, Engine, own_engine
from infra.models.trees.score_parity import ScoredRows
from infra.settings import Settings

CONTRACT_FILE = "contract.json"
CHAMPION = "champion"
ARTIFACT_PATH = "ranker"
T = TypeVar("T")


class ModelStoreError(RuntimeError):
    """Base of the registry's errors."""


class NoModel(ModelStoreError):
    """No model has the name, or no version has the alias."""


class BrokenModel(ModelStoreError):
    """The version's files are missing or do not fit together."""


class RefusedVersion(BrokenModel):
    """A child process did not survive loading the model, or found it wrong. Loading it again ends the same way."""


@dataclass(frozen=True)
class LoadedModel:
    """A registered version, ready to score. ``rows``: its test rows, if it was registered with them."""

    name: str
    version: str
    kind: RankerKind
    contract: ModelContract
    ranker: Ranker
    run_id: str
    tags: dict[str, str]
    rows: ScoredRows | None = None
    engine: Engine = NOT_COMPILED


class ModelStore:
    """All versions of one model name, in a tracking server or a local database. ``name``: else the ranker's."""

    def __init__(self, settings: Settings, name: str | None = None) -> None:
        MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        self.name = name or settings.model_name
        self._settings = settings
        self.client = open_client(settings)

    def experiment_id(self) -> str:
        """The data set's experiment, created on first use. Local artifacts are beside the database."""
        found = self.client.get_experiment_by_name(self.name)
        if found is not None:
            return str(found.experiment_id)
        location = artifact_location(self._settings, self.name)
        return str(self.client.create_experiment(self.name, artifact_location=location))

    def register(
        self,
        run_id: str,
        ranker: Ranker,
        contract: ModelContract,
        tags: dict[str, str],
        rows: ScoredRows | None = None,
        folders: Mapping[str, Path] | None = None,
    ) -> str:
        """Store the ranker under the run and register it. Returns the version.

        A ranker without test ``rows`` is always scored by LightGBM, because compiled trees could not be checked.
        ``folders``: name in the artifact -> a folder that belongs to the version, see :meth:`load_with`.
        """
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / ARTIFACT_PATH
            folder.mkdir()
            ranker.save(folder)
            (folder / CONTRACT_FILE).write_text(contract.to_json())
            if rows is not None:
                rows.save(folder)
            for name, path in (folders or {}).items():
                shutil.copytree(path, folder / name)
            self.client.log_artifacts(run_id, str(folder), ARTIFACT_PATH)
        try:
            self.client.create_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        source = f"{self.client.get_run(run_id).info.artifact_uri}/{ARTIFACT_PATH}"
        tags = {**tags, "kind": ranker.kind, "contract_hash": contract.contract_hash}
        version = self.client.create_model_version(self.name, source, run_id, tags=tags)
        return str(version.version)

    def promote(self, version: str) -> None:
        self.client.set_registered_model_alias(self.name, CHAMPION, version)

    def champion(self) -> ModelVersion | None:
        """The registry's entry with the alias ``champion``, or None."""
        try:
            return self.client.get_model_version_by_alias(self.name, CHAMPION)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def load(self) -> LoadedModel:
        """The champion. Raises NoModel or BrokenModel."""
        return self.load_with(_nothing)[0]

    def load_with(self, read: Callable[[Path], T]) -> tuple[LoadedModel, T]:
        """The champion, and what ``read`` makes of its folder. Raises NoModel or BrokenModel."""
        found = self.champion()
        if found is None:
            command = "training.train" if self.name == self._settings.model_name else "training.stage_two"
            raise NoModel(f"no {CHAMPION} of {self.name} is registered: run `python -m {command}` first")
        return self.load_version_with(found, read)

    def load_version(self, found: ModelVersion) -> LoadedModel:
        """As :meth:`load_version_with`, without further folders."""
        return self.load_version_with(found, _nothing)[0]

    def load_version_with(self, found: ModelVersion, read: Callable[[Path], T]) -> tuple[LoadedModel, T]:
        """Download the version and check it. A LightGBM model is tried in a child process first, which takes a second
        or two. ``read`` gets the downloaded folder, which is removed afterwards; an OSError, KeyError, TypeError or
        ValueError of it means that the version is broken. Raises BrokenModel.
        """
        target = tempfile.mkdtemp(prefix="ranker-")
        try:
            folder = Path(self._download(found, target))
            contract = ModelContract.from_json((folder / CONTRACT_FILE).read_text())
            try_ranker(folder)
            ranker = load_ranker(folder)
            rows = ScoredRows.load(folder)
            more = read(folder)
        except RefusedModel as error:
            raise RefusedVersion(f"{self.name} version {found.version}: {error}") from error
        except (OSError, KeyError, TypeError, ValueError, BadModel, MlflowException) as error:
            raise BrokenModel(f"{self.name} version {found.version}: {error}") from error
        finally:
            shutil.rmtree(target, ignore_errors=True)
        if ranker.feature_names != contract.feature_names:
            raise BrokenModel(
                f"{self.name} version {found.version}: the ranker and its contract have different features"
            )
        categories = {feature.name for feature in contract.features if feature.dtype == CATEGORY}
        if ranker.kind == "lightgbm" and ranker.vocabulary.texts.keys() != categories:
            raise BrokenModel(
                f"{self.name} version {found.version}: the vocabulary is of {sorted(ranker.vocabulary.texts)}, the "
                f"contract's categories are {sorted(categories)}"
            )
        model = LoadedModel(
            name=self.name,
            version=str(found.version),
            kind=ranker.kind,
            contract=contract,
            ranker=ranker,
            run_id=str(found.run_id),
            tags=_tags(found),
            rows=rows,
            engine=own_engine(ranker),
        )
        return model, more

    def _download(self, found: ModelVersion, target: str) -> str:
        uri = self.client.get_model_version_download_uri(self.name, found.version)
        return str(
            mlflow.artifacts.download_artifacts(
                artifact_uri=uri, dst_path=target, tracking_uri=self._settings.tracking_uri
            )
        )


def _tags(found: Any) -> dict[str, str]:
    return {str(key): str(value) for key, value in (found.tags or {}).items()}


def _nothing(_: Path) -> None:
    return None
