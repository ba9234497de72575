"""``python -m training.tune``: search the parameters of a model on its validation windows.

    python -m training.tune ranker|recommender|buyers [--trials N] [--minutes M] [--at TIMESTAMP] [--write]

The same command goes on with the study. Without ``--write`` the best parameters are printed and nothing is changed.
"""

from __future__ import annotations

import argparse
import math
import sys
from datetime import datetime
from typing import Any

import optuna

from feature_repo.datasets.errors import DatasetError
from feature_repo.offline.errors import OfflineError
from infra.arguments import positive, timestamp
from infra.command import command_params, command_settings
from infra.durable_file import write_durably
from infra.params import BadParams, own_file
from infra.redis_server.server import RedisServerError
from infra.settings import Settings
from training.buyers.windows import TooFewWindows
from training.candidates.asked_time import BadTime, asked_time
from training.candidates.fit import BadSources
from training.stage_two.windows import BadWindows, midnight_before
from training.training_set.ranking_data import BadTrainingSet
from training.tune.buyers_task import buyers_task
from training.tune.params_edit import edited, nested
from training.tune.ranker_task import ranker_task
from training.tune.recommender_task import recommender_task
from training.tune.results import objective_table, present_trial, summary
from training.tune.study import Budget, best_trial, open_study, run_trials, values_of
from training.tune.task import Task

MODELS = ("ranker", "recommender", "buyers")
TRIALS = 50


def tune(settings: Settings, task: Task, budget: Budget, seed: int) -> optuna.Study:
    """Run the study of the task until its budget is used up."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = open_study(settings, task)
    run_trials(settings, task, study, budget, seed)
    return study


def task_of(settings: Settings, arguments: argparse.Namespace, params: dict[str, Any]) -> Task:
    """Raises what the reading of the model's data raises."""
    if arguments.model == "ranker":
        return ranker_task(settings, params)
    at: datetime = asked_time(settings, arguments.at)
    own = params["recommend"]
    if arguments.model == "buyers":
        return buyers_task(settings, own, at)
    until = midnight_before(at)
    return recommender_task(settings, own, until, wider=arguments.wider, half_lives=arguments.half_lives)


def write_best(settings: Settings, task: Task, study: optuna.Study) -> str:
    """Write the best parameters into the data set's own file. Returns what was done. Raises BadParams or OSError."""
    best = best_trial(study)
    present = present_trial(task, study)
    if best is None or (present is not None and best.number == present.number):
        return "the parameters are unchanged: no trial is better than what they are"
    file = own_file(settings.params_file, settings.dataset)
    text = file.read_text() if file.exists() else f"# Parameters of {settings.dataset}. Merged over params.yaml.\n"
    file.parent.mkdir(exist_ok=True)
    write_durably(file, edited(text, task.section, values_of(best)).encode())
    return f"params/{file.name}: {'.'.join(task.section)} has the parameters of trial {best.number}"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.tune", description=__doc__.split("\n")[0])
    parser.add_argument("model", choices=MODELS)
    parser.add_argument(
        "--trials", type=positive, help=f"of the study, with those of earlier runs; default: {TRIALS}, if no --minutes"
    )
    parser.add_argument("--minutes", type=float, help="of this run; the running trial is finished")
    parser.add_argument(
        "--at", type=timestamp, metavar="TIMESTAMP", help="not for the ranker; default: the features' end"
    )
    parser.add_argument("--half-lives", action="store_true", help="recommender: try those of own_history, too")
    parser.add_argument(
        "--wider", type=float, default=1.5, help="recommender: sources of at most so many times their size are tried"
    )
    parser.add_argument("--write", action="store_true", help="write the best parameters into params/NAME.yaml")
    arguments = parser.parse_args(argv)
    if arguments.model == "ranker" and arguments.at is not None:
        parser.error("--at is not for the ranker: build its training set with --known-at")
    if arguments.model != "recommender" and arguments.half_lives:
        parser.error("--half-lives is for the recommender")
    if not 1 <= arguments.wider < math.inf:  # NaN is neither
        parser.error("--wider is a number of at least 1")
    if arguments.minutes is not None and not arguments.minutes >= 0:
        parser.error("--minutes is a number of at least 0")
    trials = TRIALS if arguments.trials is None and arguments.minutes is None else arguments.trials
    settings = command_settings()
    params = command_params(settings)
    seed = int((params["recommend"]["buyers"] if arguments.model == "buyers" else params["train"])["seed"])
    try:
        task = task_of(settings, arguments, params)
        study = tune(settings, task, Budget(trials, arguments.minutes), seed)
        print(f"{objective_table(task, study)}\n\n{summary(task, study)}")
        if arguments.write:
            print(write_best(settings, task, study))
        elif (best := best_trial(study)) is not None:
            print(f"--write would put into params/{settings.dataset}.yaml:\n\n{nested(task.section, values_of(best))}")
    except (
        DatasetError, OfflineError, RedisServerError, BadSources, BadTime, BadTrainingSet, BadWindows, TooFewWindows,
        BadParams,
    ) as error:  # fmt: skip
        print(f"training.tune: {error}", file=sys.stderr)
        return 2
    return 0
