"""Logs a buyer model's run to MLflow, and registers the model as buyers-DATASET."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from feature_repo.contract import current_contract
from feature_repo.schema import Declaration
from infra.models.model_contract import ContractFeature, ModelContract
from infra.models.model_store import ModelStore
from infra.settings import Settings
from training.buyers.buyer_features import FEATURES
from training.buyers.buyer_model import BuyerModel
from training.buyers.evaluation import MODEL, BuyerEvaluation
from training.evaluation import plots
from training.evaluation.run_files import write_json

VERSION = 1  # of the derived features; raise it when their values change
VIEWS = ("user_windows", "user_history", "session_state")
MODEL_FOLDER = "buyers"


def buyers_store(settings: Settings) -> ModelStore:
    return ModelStore(settings, f"buyers-{settings.dataset}")


def buyers_contract(settings: Settings, declaration: Declaration) -> ModelContract:
    """As the rankers' contract, with the buyer model's own features and views."""
    whole = current_contract(settings.dataset, declaration)
    return ModelContract(
        project=whole.project,
        feature_service=whole.feature_service,
        features=tuple(ContractFeature(f.name, f.dtype, f.source) for f in FEATURES),
        views={name: whole.views[name] for name in VIEWS},
        versions={"buyers": VERSION},
        declaration=whole.declaration,
    )


def register_buyers(
    settings: Settings,
    declaration: Declaration,
    model: BuyerModel,
    params: Mapping[str, Any],
    evaluation: BuyerEvaluation | None,
    *,
    promoted: bool,
) -> str:
    """Returns the version, the champion if ``promoted``. ``evaluation``: None where nothing was judged."""
    store = buyers_store(settings)
    client = store.client
    run_id = client.create_run(store.experiment_id(), run_name="buyers").info.run_id
    for key, value in {**{k: v for k, v in params.items() if k != "lightgbm"}, **params["lightgbm"]}.items():
        client.log_param(run_id, key, value)
    client.log_param(run_id, "known_at", model.known_at.isoformat())
    client.log_param(run_id, "days", model.days)
    client.log_metric(run_id, "best_round", model.rounds)
    tags = {"known_at": model.known_at.isoformat(), "days": str(model.days)}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if evaluation is not None:
            _log_evaluation(client, run_id, evaluation, folder)
            tags["auc"] = f"{evaluation.rows[MODEL]['auc']:.4f}"
        model.save(folder / MODEL_FOLDER)
        contract = buyers_contract(settings, declaration)
        version = store.register(run_id, model.trees, contract, tags, folders={MODEL_FOLDER: folder / MODEL_FOLDER})
    client.log_figure(run_id, plots.importance(_importance(model)), "plots/importance.png")
    if promoted:
        store.promote(version)
    client.set_terminated(run_id)
    return version


def _log_evaluation(client: Any, run_id: str, evaluation: BuyerEvaluation, folder: Path) -> None:
    for name, row in evaluation.rows.items():
        for metric, value in row.items():
            if np.isfinite(value):
                client.log_metric(run_id, f"{name}.{metric}", value)
    write_json(folder / "buyers_evaluation.json", evaluation.to_json())
    client.log_artifact(run_id, str(folder / "buyers_evaluation.json"), "evaluation")
    table = [{name: str(value) for name, value in row.items()} for row in evaluation.calibration]
    client.log_figure(run_id, plots.calibration(table), "plots/calibration.png")


def _importance(model: BuyerModel) -> list[dict[str, str]]:
    gains = model.trees.booster.feature_importance("gain")
    return [{"feature": f.name, "gain": str(g)} for f, g in zip(FEATURES, gains, strict=True)]
