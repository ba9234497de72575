"""Registers a trained model, and promotes it or the fallback that serves while no model is proven."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from infra.models.arrays import Floats
from infra.models.model_contract import ModelContract
from infra.models.model_store import BrokenModel, LoadedModel, ModelStore
from infra.models.ranker import BaselineRanker, LightGbmRanker, Ranker
from infra.models.trees.score_parity import sample
from training.evaluation import plots
from training.evaluation.run_files import read_csv, write_json
from training.training_set.build import RECIPE_FILE
from training.training_set.recipe import Recipe

UNCHANGED = "unchanged"


def current_champion(store: ModelStore, contract: ModelContract) -> LoadedModel | None:
    """The champion, or None if a scorer with the current code would refuse it."""
    found = store.champion()
    if found is None:
        return None
    try:
        champion = store.load_version(found)
    except BrokenModel as error:
        print(f"  the champion cannot be loaded: {error}", file=sys.stderr)
        return None
    differences = champion.contract.differences(contract)
    if differences:
        print(f"  the champion has another contract: {differences[0][:200]}", file=sys.stderr)
        return None
    return champion


def serves_already(champion: LoadedModel | None, fallback: str) -> bool:
    """Whether the champion stays when no new model is promoted: a trained model, or the fallback itself."""
    if champion is None:
        return False
    return not isinstance(champion.ranker, BaselineRanker) or champion.ranker.name == fallback


def register_model(
    store: ModelStore,
    name: str,
    ranker: LightGbmRanker,
    contract: ModelContract,
    metrics: Mapping[str, Any],
    folder: Path,
    params: Mapping[str, Any],
    recipe: Recipe,
    test_matrix: Floats,
    folders: Mapping[str, Path] | None = None,
) -> str:
    """Log the run with its files in ``folder``, and register its model. Returns the version.

    ``folders``: see :meth:`infra.models.model_store.ModelStore.register`.
    """
    client = store.client
    run_id = client.create_run(store.experiment_id(), run_name=name).info.run_id
    for key, value in {**{k: v for k, v in params.items() if k != "lightgbm"}, **params["lightgbm"]}.items():
        client.log_param(run_id, key, value)
    client.log_param(run_id, "training_set_sha256", recipe.content_hash)
    client.log_param(run_id, "training_set_known_at", recipe.known_at)
    client.log_dict(run_id, asdict(recipe), RECIPE_FILE)
    client.log_param(run_id, "contract_hash", contract.contract_hash)
    for each, values in metrics["rankers"].items():
        for metric, found in values.items():
            client.log_metric(run_id, f"{each}.{metric.replace('@', '_at_')}", found["mean"])
    client.log_artifacts(run_id, str(folder), "evaluation")
    importance, curve = read_csv(folder / "importance.csv"), read_csv(folder / "learning_curve.csv")
    for plot, figure in {
        "importance": plots.importance(importance),
        "calibration": plots.calibration(read_csv(folder / "calibration.csv")),
        "learning_curve": plots.learning_curve(curve, metrics["best_round"]),
    }.items():
        client.log_figure(run_id, figure, f"plots/{plot}.png")
    tags = {**_deciding_tag(metrics, name), "decision": metrics["decision"]}
    version = store.register(run_id, ranker, contract, tags, sample(ranker, test_matrix), folders)
    client.set_terminated(run_id)
    return version


def promote_baseline(
    store: ModelStore,
    name: str,
    ranker: Ranker,
    contract: ModelContract,
    metrics: Mapping[str, Any],
    folders: Mapping[str, Path] | None = None,
) -> None:
    run_id = store.client.create_run(store.experiment_id(), run_name=name).info.run_id
    tags = {**_deciding_tag(metrics, name), "baseline": name}
    store.promote(store.register(run_id, ranker, contract, tags, folders=folders))
    store.client.set_terminated(run_id)


def promote_untested(
    store: ModelStore, ranker: Ranker, contract: ModelContract, reason: str, folders: Mapping[str, Path]
) -> None:
    """Register and promote a baseline where there is nothing to judge it by; ``reason`` says why."""
    run_id = store.client.create_run(store.experiment_id(), run_name="untested").info.run_id
    store.promote(store.register(run_id, ranker, contract, {"decision": reason}, folders=folders))
    store.client.set_terminated(run_id)


def settle_champion(
    store: ModelStore,
    version: str,
    name: str,
    serving: str,
    champion: LoadedModel | None,
    rankers: Mapping[str, Ranker],
    contract: ModelContract,
    metrics: dict[str, Any],
    folder: Path,
    folders: Mapping[str, Path] | None = None,
) -> None:
    """Promote the ``version`` of the model ``name`` if ``metrics`` says so, else the baseline ``serving``, unless the
    champion stays. Who serves after the run is written into its metrics.json in ``folder``.
    """
    if metrics["promoted"]:
        store.promote(version)
        found = name
    elif serves_already(champion, serving):
        found = UNCHANGED
    else:
        promote_baseline(store, serving, rankers[serving], contract, metrics, folders)
        found = serving
    metrics["champion"] = found
    write_json(folder / "metrics.json", metrics)


def _deciding_tag(metrics: Mapping[str, Any], name: str) -> dict[str, str]:
    """The mean of the deciding metric, as ``ndcg_at_10``."""
    deciding: str = metrics["paired"]["metric"]
    return {deciding.replace("@", "_at_"): f"{metrics['rankers'][name][deciding]['mean']:.4f}"}
