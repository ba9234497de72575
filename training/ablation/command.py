"""``python -m training.ablation``: does each feature family, each source and the sequence score earn its place?

    python -m training.ablation [--model recommender|ranker] [--at TIMESTAMP] [--seeds N]

Models are judged on validation windows; the test windows are not opened.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from feature_repo.datasets.errors import DatasetError
from feature_repo.offline.errors import OfflineError
from infra.arguments import timestamp
from infra.command import command_params, command_settings
from infra.redis_server.server import RedisServerError
from infra.settings import Settings
from training.ablation.experiment import run
from training.ablation.ranker import ranker_experiment
from training.ablation.recommender import NEXT_ITEM, recommender_experiment
from training.ablation.results import FOLDER, body, markdown, write
from training.candidates.asked_time import BadTime, asked_time
from training.candidates.fit import BadSources
from training.stage_two.windows import BadWindows, midnight_before
from training.training_set.build import RECIPE_FILE
from training.training_set.ranking_data import BadTrainingSet
from training.training_set.recipe import required_recipe

MODELS = ("recommender", "ranker")


def ablate(
    settings: Settings, params: Mapping[str, Any], model: str, at: datetime | None, seeds: int
) -> dict[str, Any]:
    """Write the files, and return what is in the JSON. ``params``: of the whole file. ``at``: not for the ranker.

    Raises what the reading of the model's data raises.
    """
    until = content = None
    if model == "ranker":
        experiment = ranker_experiment(settings, params)
        content = required_recipe(settings.training_dir / RECIPE_FILE).content_hash
    else:
        until = midnight_before(asked_time(settings, at))
        size = int(params["recommend"]["sources"].get(NEXT_ITEM, {}).get("candidates", 0))
        own = params["recommend"]
        experiment = recommender_experiment(settings, own, until, FOLDER, size)
    ablation = run(experiment, settings.threads, seeds)
    found = body(ablation, experiment, settings.dataset, None if until is None else until.isoformat(), content)
    write(settings.training_dir / FOLDER, found)
    return found


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.ablation", description=__doc__.split("\n")[0])
    parser.add_argument("--model", choices=MODELS, default=MODELS[0])
    parser.add_argument(
        "--at", type=timestamp, metavar="TIMESTAMP", help="not for the ranker; default: the features' end"
    )
    parser.add_argument("--seeds", type=int, default=1, help="fits of each model, over which the metric is averaged")
    arguments = parser.parse_args(argv)
    if arguments.model == "ranker" and arguments.at is not None:
        parser.error("--at is not for the ranker: build its training set with --known-at")
    if arguments.seeds < 1:
        parser.error("--seeds is at least 1")
    settings = command_settings()
    params = command_params(settings)
    try:
        found = ablate(settings, params, arguments.model, arguments.at, arguments.seeds)
    except (
        DatasetError, OfflineError, RedisServerError, BadSources, BadTime, BadTrainingSet, BadWindows,
    ) as error:  # fmt: skip
        print(f"training.ablation: {error}", file=sys.stderr)
        return 2
    print(markdown(found))
    return 0
