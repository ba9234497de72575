"""``python -m training.train``: fit a model, evaluate it, register it, and promote it if it is good enough.

``--from-log``: train on the slates that were served and shown and on the feedback on them
(:mod:`training.training_set.served_slates`) instead of on the labels of the log, with a correction for the position on
the screen. The files are in a separate folder.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from feature_repo.contract import current_contract
from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.offline.errors import OfflineError
from infra.models.arrays import Floats
from infra.models.model_contract import ModelContract
from infra.models.model_store import BrokenModel, LoadedModel, ModelStore
from infra.models.ranker import LightGbmRanker, Ranker, score_groups
from infra.models.trees.score_parity import sample
from infra.progress import step
from infra.redis_server.server import RedisServerError
from infra.settings import Settings
from training.evaluation import plots
from training.evaluation.baselines import baselines
from training.evaluation.metrics_table import metrics_table
from training.evaluation.ranker_evaluation import (
    DECIDING,
    Evaluation,
    calibration,
    coldness_slices,
    coverage,
    evaluate,
    without_positive,
)
from training.evaluation.run_files import read_csv, write_csv, write_json
from training.ranker.lambdamart import Fitted, fit
from training.ranker.promotion import Decision, decide
from training.training_set.build import RECIPE_FILE, TRAINING_SET_FILE, write_training_set
from training.training_set.ranking_data import BadTrainingSet, RankingData, load_splits
from training.training_set.recipe import Recipe, read_recipe
from training.training_set.served_slates import write_served_slates
from training.training_set.time_split import BadSplit

RUN_FOLDER, FROM_LOG = "run", "from_log"
LABEL_HOURS = 24.0
MODEL, CHAMPION = "lambdamart", "champion"


def train(settings: Settings, params: dict[str, Any], folder: Path | None = None) -> dict[str, Any]:
    """The whole run. Returns the body of metrics.json. ``params``: the section ``train`` of params.yaml.

    ``folder``: of the training set and of the run's files; by default the training folder of the settings.

    Raises DatasetError or BadTrainingSet.
    """
    contract = current_contract(settings.dataset, declaration_of(settings))
    folder = folder or settings.training_dir
    with step("reading the training set"):
        data = load_splits(folder / TRAINING_SET_FILE, contract.feature_names)
        recipe = read_recipe(folder / RECIPE_FILE)
    print("  fitting LambdaMART ...", file=sys.stderr)
    fitted = fit(data["train"], data["validation"], params, settings.threads)
    ranker = LightGbmRanker(fitted.booster, contract.feature_names)
    store = ModelStore(settings)
    rankers: dict[str, Ranker] = {MODEL: ranker, **baselines(contract.feature_names)}
    champion = current_champion(store, contract)
    if champion is not None and champion.kind == "lightgbm":
        rankers[CHAMPION] = champion.ranker
    with step("evaluating on the test slates"):
        evaluation = evaluate(
            rankers, data["test"], seed=int(params["seed"]), resamples=int(params["bootstrap_resamples"])
        )
    best = max((name for name in rankers if name not in (MODEL, CHAMPION)), key=evaluation.mean)
    decision = decide(
        evaluation.difference(MODEL, best),
        best,
        evaluation.difference(MODEL, CHAMPION) if CHAMPION in rankers else None,
    )
    metrics = _metrics(settings, data, evaluation, best, decision, fitted)
    print("  fitting and evaluating on shuffled labels ...", file=sys.stderr)
    metrics["shuffled_label"] = _shuffled_label(data, rankers, params, fitted.best_round, settings.threads, evaluation)
    written = _write_run(folder / RUN_FOLDER, metrics, fitted, ranker, data, evaluation, settings.threads)
    with step("registering"):
        _register(
            store, champion, rankers, contract, best, decision, metrics, written, params, recipe, data["test"].matrix
        )
    return metrics


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


def _metrics(
    settings: Settings,
    data: dict[str, RankingData],
    evaluation: Evaluation,
    best: str,
    decision: Decision,
    fitted: Fitted,
) -> dict[str, Any]:
    return {
        "dataset": settings.dataset,
        "model_name": settings.model_name,
        "promoted": decision.promoted,
        "decision": decision.reason,
        "best_round": fitted.best_round,
        "slates": {
            **{name: len(split.sizes) for name, split in data.items()},
            "test_without_positive": without_positive(data["test"]),
        },
        "rows": {name: len(split.labels) for name, split in data.items()},
        "coverage": coverage(data["test"]),
        "rankers": evaluation.intervals(),
        "paired": {"baseline": best, "metric": DECIDING, **asdict(evaluation.difference(MODEL, best))},
    }


def _shuffled_label(
    data: dict[str, RankingData],
    rankers: dict[str, Ranker],
    params: dict[str, Any],
    rounds: int,
    threads: int,
    evaluation: Evaluation,
) -> dict[str, Any]:
    """Fit and evaluate a model on labels that are shuffled inside each slate. It must be no better than random.

    It has as many rounds as the real model. With early stopping it would have few leaves and many ties, which count
    against it.
    """
    shuffled = {name: split.with_shuffled_labels(evaluation.seed + i) for i, (name, split) in enumerate(data.items())}
    fitted = fit(shuffled["train"], shuffled["validation"], params, threads, rounds=rounds)
    found = evaluate(
        {MODEL: LightGbmRanker(fitted.booster, data["test"].feature_names), "random": rankers["random"]},
        shuffled["test"],
        seed=evaluation.seed,
        resamples=evaluation.resamples,
        threads=threads,
    )
    return {**found.intervals(), "difference": asdict(found.difference(MODEL, "random"))}


def _write_run(
    final: Path,
    metrics: dict[str, Any],
    fitted: Fitted,
    ranker: LightGbmRanker,
    data: dict[str, RankingData],
    evaluation: Evaluation,
    threads: int,
) -> Path:
    """Write all files of the run to the folder ``final``, atomically. Returns it."""
    folder = final.with_name(f".{RUN_FOLDER}.{os.getpid()}.part")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    scores = {
        name: score_groups(ranker, data[name].matrix, data[name].sizes, threads) for name in ("validation", "test")
    }
    slices = coldness_slices(scores["test"], data["test"], seed=evaluation.seed, resamples=evaluation.resamples)
    gain, splits = (ranker.booster.feature_importance(kind) for kind in ("gain", "split"))
    write_json(folder / "metrics.json", metrics)
    write_json(folder / "slices.json", slices)
    write_csv(
        folder / "importance.csv",
        [
            {"feature": name, "gain": float(g), "split": int(s)}
            for name, g, s in zip(ranker.feature_names, gain, splits, strict=True)
        ],
    )
    curve = zip(fitted.curve["train"], fitted.curve["validation"], strict=True)
    write_csv(
        folder / "learning_curve.csv",
        [{"iteration": i + 1, "train_ndcg10": t, "validation_ndcg10": v} for i, (t, v) in enumerate(curve)],
    )
    write_csv(
        folder / "calibration.csv",
        calibration((scores["validation"], data["validation"]), (scores["test"], data["test"])),
    )
    shutil.rmtree(final, ignore_errors=True)
    folder.rename(final)
    return final


def _register(
    store: ModelStore,
    champion: LoadedModel | None,
    rankers: dict[str, Ranker],
    contract: ModelContract,
    best: str,
    decision: Decision,
    metrics: dict[str, Any],
    folder: Path,
    params: dict[str, Any],
    recipe: Recipe,
    test_matrix: Floats,
) -> None:
    """Log and register the model, and promote it if decided. Without a champion the best baseline is promoted."""
    client = store.client
    run_id = client.create_run(store.experiment_id(), run_name=MODEL).info.run_id
    for name, value in {**{k: v for k, v in params.items() if k != "lightgbm"}, **params["lightgbm"]}.items():
        client.log_param(run_id, name, value)
    client.log_param(run_id, "training_set_sha256", recipe.content_hash)
    client.log_param(run_id, "training_set_known_at", recipe.known_at)
    client.log_dict(run_id, asdict(recipe), RECIPE_FILE)
    client.log_param(run_id, "contract_hash", contract.contract_hash)
    for ranker, values in metrics["rankers"].items():
        for metric, found in values.items():
            client.log_metric(run_id, f"{ranker}.{metric.replace('@', '_at_')}", found["mean"])
    client.log_artifacts(run_id, str(folder), "evaluation")
    importance, curve = read_csv(folder / "importance.csv"), read_csv(folder / "learning_curve.csv")
    for name, figure in {
        "importance": plots.importance(importance),
        "calibration": plots.calibration(read_csv(folder / "calibration.csv")),
        "learning_curve": plots.learning_curve(curve, metrics["best_round"]),
    }.items():
        client.log_figure(run_id, figure, f"plots/{name}.png")
    tags = {"ndcg_at_10": f"{metrics['rankers'][MODEL][DECIDING]['mean']:.4f}", "decision": decision.reason}
    fitted = rankers[MODEL]
    rows = sample(fitted, test_matrix) if isinstance(fitted, LightGbmRanker) else None
    version = store.register(run_id, fitted, contract, tags, rows)
    client.set_terminated(run_id)
    if decision.promoted:
        store.promote(version)
        metrics["champion"] = MODEL
    elif champion is None:
        fallback = client.create_run(store.experiment_id(), run_name=best).info.run_id
        baseline_tags = {"ndcg_at_10": f"{metrics['rankers'][best][DECIDING]['mean']:.4f}", "baseline": best}
        store.promote(store.register(fallback, rankers[best], contract, baseline_tags))
        client.set_terminated(fallback)
        metrics["champion"] = best
    else:
        metrics["champion"] = "unchanged"
    write_json(folder / "metrics.json", metrics)


def from_log(settings: Settings, params: dict[str, Any], window: timedelta) -> Path:
    """Build the training set of the served slates. Returns its folder. Raises as :func:`write_training_set` does."""
    folder = settings.training_dir / FROM_LOG
    with step("joining served slates with feedback"):
        served = write_served_slates(settings, declaration_of(settings), folder, window)
    print(f"  {served.slates} slates, {served.shown} items shown, {served.positives} with feedback", file=sys.stderr)
    write_training_set(settings, (params.get("split") or {}).get(FROM_LOG), served=served)
    return folder


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__.split("\n")[0])
    parser.add_argument("--from-log", action="store_true", help="train on the served slates and the feedback on them")
    parser.add_argument(
        "--label-hours", type=float, help="hours after a slate in which feedback counts; default: params.yaml"
    )
    arguments = parser.parse_args(argv)
    settings = Settings()
    params = yaml.safe_load(settings.params_file.read_text())
    hours = params["train"].get("label_hours", LABEL_HOURS) if arguments.label_hours is None else arguments.label_hours
    try:
        folder = from_log(settings, params, timedelta(hours=hours)) if arguments.from_log else settings.training_dir
        metrics = train(settings, params["train"], folder)
    except (DatasetError, BadTrainingSet, OfflineError, BadSplit, RedisServerError) as error:
        print(f"training.train: {error}", file=sys.stderr)
        return 2
    print(metrics_table(metrics["rankers"]))
    print(f"\n{metrics['decision']}\nserved as champion: {metrics['champion']}")
    print(f"coverage {metrics['coverage']:.3f}; slates {metrics['slates']}")
    gap = metrics["shuffled_label"]["difference"]
    print(f"shuffled labels: model - random = {gap['mean']:+.4f} [{gap['low']:+.4f}, {gap['high']:+.4f}] {DECIDING}")
    if np.isnan(metrics["paired"]["mean"]):
        print("no test slate has a positive label", file=sys.stderr)
        return 1
    return 0
