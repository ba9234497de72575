"""``python -m training.stage_two``: fit the recommender, evaluate it, register it, and promote it if it is good enough.

The model ``recommend-NAME`` ranks what the candidate sources list. Its training set are rolling windows
(:mod:`training.stage_two.training_set`); the newest ones test it. It must beat the baselines, which rank the same
candidates, and the champion by recall@25. Where the log is too short for windows, the sources' order is served. On a
log with outcomes before their slates nothing is promoted.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from feature_repo.candidates.stage_two_features import recommend_contract
from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.offline.errors import OfflineError
from infra.arguments import timestamp
from infra.command import command_params, command_settings
from infra.models.model_store import ModelStore
from infra.models.ranker import BaselineRanker, Ranker
from infra.progress import step
from infra.redis_server.server import RedisServerError
from infra.settings import Settings
from training.candidates.asked_time import BadTime, asked_time
from training.candidates.fit import BadSources, fit_sources
from training.evaluation.baselines import CALLERS_ORDER, SERVED, baselines
from training.evaluation.metrics_table import metrics_table
from training.evaluation.ranker_evaluation import coverage, evaluate, without_positive
from training.evaluation.run_files import write_json
from training.evaluation.run_output import write_run
from training.ranker.outcome_leak import outcome_leak
from training.ranker.promotion import Reports, best_baseline, decide, fallback
from training.ranker.registration import (
    UNCHANGED,
    current_champion,
    promote_untested,
    register_model,
    settle_champion,
)
from training.stage_two.recommender import FittedRecommender, fit_recommender
from training.stage_two.windows import BadWindows, midnight_before
from training.training_set.ranking_data import BadTrainingSet, coded_for

FOLDER, RUN_FOLDER = "recommend", "run"
MODEL, CHAMPION = "recommender", "champion"
DECIDING = "recall@25"


def train(settings: Settings, params: Mapping[str, Any], until: datetime) -> dict[str, Any]:
    """The whole run. Returns the body of metrics.json. ``params``: the section ``recommend``.

    Raises as :func:`training.stage_two.recommender.fit_recommender`.
    """
    folder = settings.training_dir / FOLDER
    try:
        found = fit_recommender(settings, params, until, folder)
    except (BadTrainingSet, BadWindows) as error:
        return serve_sources_order(settings, params, until, str(error))
    data, ranker, contract = found.data, found.recommender.ranker, found.contract
    store = ModelStore(settings, settings.recommend_name)
    rankers: dict[str, Ranker] = {MODEL: ranker, **baselines(contract.feature_names)}
    champion = current_champion(store, contract)
    others = {}
    if champion is not None and champion.kind == "lightgbm":
        rankers[CHAMPION] = champion.ranker
        others[CHAMPION] = coded_for(champion.ranker, data["test"], found.written.path, "test")
    with step("evaluating on the test windows"):
        evaluation = evaluate(
            rankers,
            data["test"],
            seed=int(params["train"]["seed"]),
            resamples=int(params["train"]["bootstrap_resamples"]),
            threads=settings.threads,
            deciding=DECIDING,
            others=others,
        )
    leak = outcome_leak(settings)
    best = best_baseline({name: evaluation.mean(name) for name in SERVED})
    decision = decide(
        evaluation.difference(MODEL, best),
        best,
        evaluation.difference(MODEL, CHAMPION) if CHAMPION in rankers else None,
        Reports(folder / RUN_FOLDER / "metrics.json", settings.reports_dir / "validation" / "log" / "report.html"),
        users=evaluation.users,
        leak=leak,
        metric=DECIDING,
    )
    metrics = {
        "dataset": settings.dataset,
        "model_name": settings.recommend_name,
        "promoted": decision.promoted,
        "decision": decision.reason,
        "best_round": found.fitted.best_round,
        "known_at": until.isoformat(),
        "sources": dict(found.recommender.sources.sizes),
        **_counts(found),
        "rankers": evaluation.intervals(),
        "paired": {"baseline": best, "metric": DECIDING, **asdict(evaluation.difference(MODEL, best))},
    }
    run = write_run(folder / RUN_FOLDER, metrics, found.fitted.curve, ranker, data, evaluation, settings.threads)
    with step("registering"), tempfile.TemporaryDirectory() as temporary:
        sources = Path(temporary)
        found.recommender.sources.save(sources)
        folders = {"sources": sources}
        (run / "parameters.json").write_text(json.dumps(params, indent=2))
        version = register_model(
            store,
            MODEL,
            ranker,
            contract,
            metrics,
            run,
            params["train"],
            found.written.recipe,
            data["test"].matrix,
            folders,
        )
        serving = fallback(evaluation, leak=leak)
        settle_champion(store, version, MODEL, serving, champion, rankers, contract, metrics, run, folders)
    return metrics


def serve_sources_order(settings: Settings, params: Mapping[str, Any], until: datetime, reason: str) -> dict[str, Any]:
    """Register the sources' order, and promote it unless a trained model serves. Returns the body of metrics.json."""
    declaration = declaration_of(settings)
    sources = fit_sources(settings, params, until)
    contract = recommend_contract(settings.dataset, declaration, sources)
    store = ModelStore(settings, settings.recommend_name)
    order = baselines(contract.feature_names)[CALLERS_ORDER]
    metrics = {
        "dataset": settings.dataset,
        "model_name": settings.recommend_name,
        "promoted": False,
        "decision": f"no model is trained: {reason}",
        "known_at": until.isoformat(),
        "sources": dict(sources.sizes),
        "champion": UNCHANGED,
    }
    champion = current_champion(store, contract)
    if champion is None or isinstance(champion.ranker, BaselineRanker):
        with tempfile.TemporaryDirectory() as temporary:
            sources.save(Path(temporary))
            promote_untested(store, order, contract, reason, {"sources": Path(temporary)})
        metrics["champion"] = order.name
    run = settings.training_dir / FOLDER / RUN_FOLDER
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True)
    write_json(run / "metrics.json", metrics)
    return metrics


def _counts(found: FittedRecommender) -> dict[str, Any]:
    test = found.data["test"]
    return {
        "slates": {
            **{name: len(split.sizes) for name, split in found.data.items()},
            "test_without_positive": without_positive(test),
        },
        "rows": {name: len(split.labels) for name, split in found.data.items()},
        "coverage": coverage(test),
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.stage_two", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--at",
        type=timestamp,
        metavar="TIMESTAMP",
        help="as of then; default: the features' end",
    )
    arguments = parser.parse_args(argv)
    settings = command_settings()
    params = command_params(settings)["recommend"]
    try:
        until = midnight_before(asked_time(settings, arguments.at))
        metrics = train(settings, params, until)
    except (
        DatasetError, OfflineError, RedisServerError, BadSources, BadTime,
    ) as error:  # fmt: skip
        print(f"training.stage_two: {error}", file=sys.stderr)
        return 2
    if "rankers" in metrics:
        print(metrics_table(metrics["rankers"]))
        print(f"\ncoverage {metrics['coverage']:.3f}; lists {metrics['slates']}")
    print(f"{metrics['decision']}\nserved as champion: {metrics['champion']}")
    return 0
