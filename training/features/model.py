"""Which registered ranker is reviewed."""

from __future__ import annotations

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from infra.models.model_contract import ModelContract
from infra.models.model_store import LoadedModel, ModelStore, NoModel
from infra.models.ranker import LightGbmRanker


class OtherModel(ValueError):
    """The version is no trained ranker, or it reads other features than the present ones."""


def reviewed_model(store: ModelStore, contract: ModelContract, version: str | None = None) -> LoadedModel:
    """The newest trained version, promoted or not, or ``version``. Raises NoModel, BrokenModel or OtherModel."""
    model = store.load_version(_newest(store) if version is None else _version(store, version))
    if not isinstance(model.ranker, LightGbmRanker):
        raise OtherModel(f"{store.name} version {model.version} is a baseline, which is not fitted to features")
    if model.ranker.feature_names != contract.feature_names:
        differences = "; ".join(model.contract.differences(contract)[:3])
        raise OtherModel(
            f"{store.name} version {model.version} reads other features: {differences}. "
            "Run `python -m training.train`, or name a --version"
        )
    return model


def _newest(store: ModelStore) -> ModelVersion:
    found = store.client.search_model_versions(f"name = '{store.name}'")
    trained = [each for each in found if dict(each.tags or {}).get("kind") == "lightgbm"]
    if not trained:
        raise NoModel(f"no trained version of {store.name} is registered: run `python -m training.train` first")
    return max(trained, key=lambda each: int(each.version))


def _version(store: ModelStore, version: str) -> ModelVersion:
    try:
        return store.client.get_model_version(store.name, version)
    except MlflowException as error:
        raise NoModel(f"{store.name} has no version {version}") from error
