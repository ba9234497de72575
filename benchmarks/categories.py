"""The ranker with its categories and without them: what strings are worth, on one training set.

    python -m benchmarks.categories [--seeds N] [--slates N] [--json FILE]

Both are fitted with each seed, choose their rounds on the validation slates, and are judged on the test slates. The
values of a slate are averaged over the seeds. The data set is that of the settings; its training set must be there.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from feature_repo.contract import current_contract
from feature_repo.datasets.declarations.built_in import declaration_of
from infra.command import command_params, command_settings
from infra.models.arrays import Doubles
from infra.models.ranker import score_groups
from infra.models.trees.forest import read_forest
from training.ablation.columns import without_columns
from training.evaluation.bootstrap import paired_difference
from training.evaluation.metrics import slate_metrics
from training.evaluation.ranker_evaluation import DECIDING, scored_slates
from training.ranker.lambdamart import Fitted, fit
from training.ranker.learning_curve import VALIDATION_SLATES
from training.training_set.build import TRAINING_SET_FILE
from training.training_set.levels import Levels
from training.training_set.ranking_data import RankingData, load_splits

SEEDS = 3


def compared(data: Mapping[str, RankingData], params: Mapping[str, Any], seeds: int, threads: int) -> dict[str, Any]:
    """``data``: by split; ``params``: the section ``train``."""
    categories = tuple(data["train"].vocabulary.texts)
    found: dict[str, Any] = {
        "metric": DECIDING,
        "levels": {feature: len(texts) for feature, texts in data["train"].vocabulary.texts.items()},
    }
    values = {}
    for name, left_out in {"with": (), "without": categories}.items():
        arm = {split: without_columns(each, left_out) for split, each in data.items()}
        fits, values[name] = _fitted(arm, params, seeds, threads, name)
        found[name] = {"seeds": fits, "mean": float(np.nanmean(values[name]))}
    seed, resamples, clusters = int(params["seed"]), int(params["bootstrap_resamples"]), data["test"].clusters
    found["difference"] = asdict(paired_difference(values["with"], values["without"], seed, resamples, clusters))
    return found


def _fitted(
    data: Mapping[str, RankingData], params: Mapping[str, Any], seeds: int, threads: int, name: str
) -> tuple[list[dict[str, Any]], Doubles]:
    """Figures of each seed, and (g,) the metric of each test slate, the mean over the seeds."""
    figures, values = [], []
    for seed in range(int(params["seed"]), int(params["seed"]) + seeds):
        started = time.monotonic()
        fitted = fit(data["train"], data["validation"], {**params, "seed": seed}, threads, watch=lambda *_: None)
        scores = score_groups(fitted.ranker, data["test"].matrix, data["test"].sizes, threads)
        values.append(slate_metrics(scored_slates(data["test"], scores)).values[DECIDING])
        figures.append(
            {
                "seed": seed,
                "test": float(np.nanmean(values[-1])),
                "validation": fitted.validation,
                "rounds": fitted.best_round,
                "minutes": round((time.monotonic() - started) / 60, 2),
                **_splits(fitted),
            }
        )
        print(f"  {name} categories: {figures[-1]}", file=sys.stderr, flush=True)
    return figures, np.asarray(np.mean(values, axis=0), np.float64)


def _splits(fitted: Fitted) -> dict[str, int]:
    trees = read_forest(fitted.booster.model_to_string()).trees
    on_categories = sum(int(tree.is_categorical.sum()) for tree in trees)
    return {"splits": sum(len(tree.feature) for tree in trees), "on_categories": on_categories}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.categories", description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--slates", type=int, help="of train, a seeded sample; by default all")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    settings = command_settings()
    params = command_params(settings)["train"]
    names = current_contract(settings.dataset, declaration_of(settings)).feature_names
    data = load_splits(settings.training_dir / TRAINING_SET_FILE, names, levels=Levels.of(params))
    data["test"] = data["test"].judged()
    data["validation"] = data["validation"].judged().sample(VALIDATION_SLATES, int(params["seed"]))
    if arguments.slates:
        data["train"] = data["train"].sample(arguments.slates, int(params["seed"]))
    found = compared(data, params, arguments.seeds, settings.threads)
    text = json.dumps(found, indent=2)
    if arguments.json:
        arguments.json.write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
