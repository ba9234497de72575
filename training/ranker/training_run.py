"""``python -m training.train``: fit a model, evaluate it, register it, and promote it if it is good enough.

``--from-log``: train on the slates that were served and shown and on the feedback on them
(:mod:`training.training_set.served_slates`) instead of on the labels of the log, with a correction for the position on
the screen. The files are in a separate folder.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from feature_repo.contract import current_contract
from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.offline.errors import OfflineError
from feature_repo.times.time_split import BadSplit
from infra.command import command_params, command_settings
from infra.models.model_store import ModelStore
from infra.models.ranker import Ranker
from infra.progress import step
from infra.redis_server.server import RedisServerError
from infra.settings import PROJECT_ROOT, Settings
from training.evaluation.baselines import SERVED, YARDSTICKS, baselines
from training.evaluation.metrics_table import metrics_table
from training.evaluation.ranker_evaluation import (
    DECIDING,
    Evaluation,
    coverage,
    evaluate,
    one_item,
    without_positive,
)
from training.evaluation.run_output import write_run
from training.ranker.lambdamart import fit
from training.ranker.outcome_leak import outcome_leak
from training.ranker.promotion import Decision, Reports, best_baseline, decide, fallback
from training.ranker.registration import current_champion, register_model, settle_champion
from training.training_set.build import RECIPE_FILE, TRAINING_SET_FILE, write_training_set
from training.training_set.levels import Levels
from training.training_set.ranking_data import BadTrainingSet, RankingData, coded_for, load_splits
from training.training_set.recipe import required_recipe
from training.training_set.served_slates import SLATES_FILE, write_served_slates

RUN_FOLDER, FROM_LOG = "run", "from_log"
LABEL_HOURS = 24.0
SHUFFLED_SLATES = 3_000  # of train and of validation, for the check on shuffled labels
MODEL, CHAMPION = "lambdamart", "champion"


def train(settings: Settings, params: dict[str, Any], folder: Path | None = None) -> dict[str, Any]:
    """The whole run. Returns the body of metrics.json. ``params``: the section ``train`` of params.yaml.

    ``folder``: of the training set and of the run's files; by default the training folder of the settings.

    Raises DatasetError or BadTrainingSet.
    """
    contract = current_contract(settings.dataset, declaration_of(settings))
    folder = folder or settings.training_dir
    with step("reading the training set"):
        data = load_splits(folder / TRAINING_SET_FILE, contract.feature_names, levels=Levels.of(params))
        recipe = required_recipe(folder / RECIPE_FILE)
    counts = _counts(data)
    test = data["test"]
    data = {name: split if name == "train" else split.judged() for name, split in data.items()}
    served = folder / SLATES_FILE
    leak = outcome_leak(settings, served if served.exists() else None)
    print("  fitting LambdaMART ...", file=sys.stderr)
    fitted = fit(data["train"], data["validation"], params, settings.threads)
    ranker = fitted.ranker
    store = ModelStore(settings)
    rankers: dict[str, Ranker] = {MODEL: ranker, **baselines(contract.feature_names)}
    champion = current_champion(store, contract)
    others = {}
    if champion is not None and champion.kind == "lightgbm":
        rankers[CHAMPION] = champion.ranker
        others[CHAMPION] = coded_for(champion.ranker, test, folder / TRAINING_SET_FILE, "test")
    with step("evaluating on the test slates"):
        evaluation = evaluate(
            rankers, data["test"], seed=int(params["seed"]), resamples=int(params["bootstrap_resamples"]), others=others
        )
    best = best_baseline({name: evaluation.mean(name) for name in YARDSTICKS if name in evaluation.per_slate})
    decision = _decide(settings, evaluation, best=best, has_champion=CHAMPION in rankers, leak=leak)
    metrics = {
        "dataset": settings.dataset,
        "model_name": settings.model_name,
        "promoted": decision.promoted,
        "decision": decision.reason,
        "best_round": fitted.best_round,
        **counts,
        "rankers": evaluation.intervals(),
        "paired": {"baseline": best, "metric": DECIDING, **asdict(evaluation.difference(MODEL, best))},
    }
    print("  fitting and evaluating on shuffled labels ...", file=sys.stderr)
    metrics["shuffled_label"] = _shuffled_label(data, rankers, params, fitted.best_round, settings.threads, evaluation)
    written = write_run(folder / RUN_FOLDER, metrics, fitted.curve, ranker, data, evaluation, settings.threads)
    with step("registering"):
        version = register_model(store, MODEL, ranker, contract, metrics, written, params, recipe, data["test"].matrix)
        serving = fallback(evaluation, leak=leak)
        settle_champion(store, version, MODEL, serving, champion, rankers, contract, metrics, written)
    return metrics


def _decide(settings: Settings, evaluation: Evaluation, *, best: str, has_champion: bool, leak: str) -> Decision:
    """``best``: of all baselines, those that cannot serve too."""
    folder = settings.reports_dir
    if folder.is_relative_to(PROJECT_ROOT):  # the reason is stored, and the project may be moved
        folder = folder.relative_to(PROJECT_ROOT)
    reports = Reports(training=folder / "training.html", gate=folder / "validation" / "log" / "report.html")
    rival = best_baseline({name: evaluation.mean(name) for name in SERVED})
    return decide(
        evaluation.difference(MODEL, rival),
        rival,
        evaluation.difference(MODEL, CHAMPION) if has_champion else None,
        reports,
        users=evaluation.users,
        leak=leak,
        yardstick=None if best == rival else (best, evaluation.difference(MODEL, best)),
    )


def _counts(data: dict[str, RankingData]) -> dict[str, Any]:
    test = data["test"]
    return {
        "slates": {
            **{name: len(split.sizes) for name, split in data.items()},
            "test_without_positive": without_positive(test),
            "test_one_item": one_item(test),
        },
        "rows": {name: len(split.labels) for name, split in data.items()},
        "coverage": coverage(test),
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
    against it. A sample of the slates is enough, since a leak shows with few slates too.
    """
    data = {**data, **{name: data[name].sample(SHUFFLED_SLATES, evaluation.seed) for name in ("train", "validation")}}
    shuffled = {name: split.with_shuffled_labels(evaluation.seed + i) for i, (name, split) in enumerate(data.items())}
    fitted = fit(shuffled["train"], shuffled["validation"], params, threads, rounds=rounds)
    found = evaluate(
        {MODEL: fitted.ranker, "random": rankers["random"]},
        shuffled["test"],
        seed=evaluation.seed,
        resamples=evaluation.resamples,
        threads=threads,
    )
    return {**found.intervals(), "difference": asdict(found.difference(MODEL, "random"))}


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
    settings = command_settings()
    params = command_params(settings)
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
    if metrics["slates"]["test_one_item"]:
        print(f"{metrics['slates']['test_one_item']} test slates of one candidate are not judged")
    gap = metrics["shuffled_label"]["difference"]
    print(f"shuffled labels: model - random = {gap['mean']:+.4f} [{gap['low']:+.4f}, {gap['high']:+.4f}] {DECIDING}")
    if np.isnan(metrics["paired"]["mean"]):
        print("no test slate has a positive label", file=sys.stderr)
        return 1
    return 0
