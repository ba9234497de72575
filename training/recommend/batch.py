"""``python -m training.recommend``: the items for the users who are most worth a message in the next days.

Chosen are the users with the highest expected recall: the probability that they order, times the recall expected of
their list if they do. Everything is fitted on what was known at ``--at``, by default the newest midnight of the
features. Where the window has happened, the submission is judged by the task's metric.

``--out`` is a parquet or CSV file (:mod:`training.recommend.files`), or the URL of a SQL database
(:mod:`training.recommend.database`). The submission is also an artifact of the run in MLflow.
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from feature_repo.datasets.declarations.built_in import declaration_of
from infra.arguments import positive, timestamp
from infra.command import command_settings
from infra.models.arrays import Doubles
from infra.params import read_params
from infra.settings import Settings
from training.buyers.orders import Orders, has_happened, open_orders
from training.buyers.registration import register_buyers
from training.candidates.asked_time import asked_time
from training.recommend.database import Run, is_database, ready_database, without_password, write_recommendations
from training.recommend.errors import NotEnough
from training.recommend.files import FORMATS, format_of, ready_file, write_submission
from training.recommend.metric import bought_items, mean_recall
from training.recommend.prospects import REFUSALS, find_prospects
from training.recommend.run_log import log_batch
from training.recommend.submission import Submission, picked

FOLDER = "batch"
NOBODY = "nobody ordered in the window, which has happened"


def best_users(expected: Doubles, users: int) -> npt.NDArray[np.int64]:
    """Positions of the ``users`` highest, the highest first; equal ones in their order."""
    return np.argsort(-expected, kind="stable")[:users].astype(np.int64)


def judged(settings: Settings, submission: Submission, start: datetime, days: int, users: int, k: int) -> float | None:
    """The task's metric; None where the window has not happened yet. Raises BadSubmission."""
    if not has_happened(settings, start, days):
        return None
    end = start + timedelta(days=days)
    with open_orders(settings, end) as orders:
        return mean_recall(submission, bought_items(orders.bought(start, end)), users, k)


def run_id(settings: Settings, start: datetime, days: int, users: int, k: int) -> str:
    """What is asked for, so that the same question replaces its earlier answer."""
    return f"{settings.dataset}-{start:%Y%m%dT%H%M%SZ}-{days}d-{users}x{k}"


def recommend(settings: Settings, arguments: argparse.Namespace) -> None:
    """What can be refused before hours of fitting is refused first. Raises the errors that :func:`main` reports."""
    k, days, wanted = arguments.k, arguments.days, arguments.users
    target = without_password(arguments.out) if is_database(arguments.out) else arguments.out
    form = None if is_database(arguments.out) else format_of(Path(arguments.out), arguments.format)
    params = read_params(settings)["recommend"]
    at = asked_time(settings, arguments.at)
    run = Run(arguments.run_id or run_id(settings, at, days, wanted, k), at, at + timedelta(days=days))
    if form is None:
        ready_database(arguments.out, run)
    else:
        ready_file(Path(arguments.out))
    with open_orders(settings, at) as orders:
        _refuse_too_many(orders, at, users=1 if arguments.allow_fewer else wanted, k=k)
        found = find_prospects(settings, params, orders, at, days, k, settings.training_dir / FOLDER)
    chosen = best_users(found.expected, wanted)
    submission = picked(found.lists, chosen)
    submission.check(wanted, k)
    if form is None:
        write_recommendations(submission, arguments.out, run)
    else:
        write_submission(submission, Path(arguments.out), form)
    metric = judged(settings, submission, at, days, wanted, k)
    buyers = register_buyers(
        settings,
        declaration_of(settings),
        found.buyers.model,
        params["buyers"],
        found.buyers.evaluation,
        promoted=arguments.at is None,
    )
    log_batch(
        settings, run, submission, found, chosen, params, {"out": target, "users": wanted, "k": k}, buyers, metric
    )
    print(f"{len(submission)} users with {k} items each, {at.isoformat()} and {days} days: {target}, run {run.run_id}")
    if found.buyers.evaluation is not None:
        print(found.buyers.evaluation.table())
    if metric is not None:
        print(f"recall per buyer of the window, which has happened: {metric:.4f}" if metric == metric else NOBODY)


def _refuse_too_many(orders: Orders, at: datetime, *, users: int, k: int) -> None:
    """Before anything is fitted. Raises NotEnough."""
    known, items = len(orders.users(at)), orders.items(at)
    if known < users:
        raise NotEnough(
            f"{users} users are asked for, but {known} are known at {at.isoformat()}: "
            "ask for fewer, or say --allow-fewer"
        )
    if items < k:
        raise NotEnough(f"{k} items are asked for, but {items} are known at {at.isoformat()}: ask for a smaller --k")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.recommend", description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=positive, default=3000, help="users to choose")
    parser.add_argument("--k", type=positive, default=25, help="items for each")
    parser.add_argument("--days", type=positive, default=3, help="days in which an order counts")
    parser.add_argument("--out", required=True, help="a file, or a database URL like postgresql://user@host/db")
    parser.add_argument("--format", choices=FORMATS, help="of the file; default: by its ending")
    parser.add_argument("--at", type=timestamp, metavar="TIMESTAMP", help="default: the features' end")
    parser.add_argument("--run-id", help="of the rows in a database; default: made of what is asked for")
    parser.add_argument("--allow-fewer", action="store_true", help="where fewer users are known, take them all")
    arguments = parser.parse_args(argv)
    try:
        recommend(command_settings(), arguments)
    except REFUSALS as error:
        print(f"training.recommend: {error}", file=sys.stderr)
        return 2
    return 0
