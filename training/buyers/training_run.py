"""``python -m training.buyers``: fit the buyer model, judge it on the newest windows, register it as buyers-DATASET.

It is judged as it would have been used: for each of the newest windows before the timestamp asked about, a model that
was fitted on what was known at the window's start.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.offline.errors import OfflineError
from feature_repo.store import open_store
from infra.arguments import positive, timestamp
from infra.command import command_params, command_settings
from infra.progress import step
from infra.redis_server.server import RedisServerError
from infra.settings import Settings
from training.buyers.buyer_model import BuyerModel, fit_buyers
from training.buyers.evaluation import BuyerEvaluation, evaluate_buyers
from training.buyers.orders import Orders, open_orders
from training.buyers.registration import register_buyers
from training.buyers.windows import LabelledWindows, TooFewWindows, UserSet, users_at
from training.candidates.asked_time import BadTime, asked_time
from training.evaluation.run_files import write_json

EVALUATION_FILE = "buyers.json"


@dataclass(frozen=True)
class BuyerRun:
    """``evaluation``: None where the log is too short for a model of an earlier time."""

    model: BuyerModel
    evaluation: BuyerEvaluation | None
    users: UserSet


def fit_and_judge(settings: Settings, params: Mapping[str, Any], orders: Orders, at: datetime, days: int) -> BuyerRun:
    """``params``: the section ``recommend.buyers``. The run's users are those known at ``at``.

    Raises TooFewWindows, OfflineError or RedisServerError.
    """
    store = open_store(settings)
    rows = max(1, int(params["max_rows"]) // int(params["windows"]["train"]))
    windows, first = LabelledWindows(store, orders, days, rows), orders.first_event()
    with step("features of users"):
        users = users_at(store, orders, at, days)
    model = fit_buyers(settings, params, windows, first, at)
    whole = LabelledWindows(store, orders, days)
    judged = {}
    for back in range(int(params["judged_windows"]), 0, -1):
        start = at - timedelta(days=days * back)
        try:
            earlier = fit_buyers(settings, params, windows, first, start)
        except TooFewWindows as error:
            print(f"  buyers: not judged on the window from {start.isoformat()}: {error}", file=sys.stderr)
            continue
        found = whole.of([start])
        judged[start] = (found, earlier.probabilities(found.matrix))
    evaluation = evaluate_buyers(judged, tuple(params["recall_among_first"])) if judged else None
    return BuyerRun(model, evaluation, users)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.buyers", description=__doc__.split("\n")[0])
    parser.add_argument("--at", type=timestamp, metavar="TIMESTAMP", help="default: the features' end")
    parser.add_argument("--days", type=positive, default=3, help="days in which an order counts")
    arguments = parser.parse_args(argv)
    settings = command_settings()
    params = command_params(settings)["recommend"]["buyers"]
    try:
        at = asked_time(settings, arguments.at)
        with open_orders(settings, at) as orders:
            run = fit_and_judge(settings, params, orders, at, arguments.days)
        version = register_buyers(
            settings, declaration_of(settings), run.model, params, run.evaluation, promoted=arguments.at is None
        )
    except (DatasetError, OfflineError, RedisServerError, TooFewWindows, BadTime) as error:
        print(f"training.buyers: {error}", file=sys.stderr)
        return 2
    if run.evaluation is not None:
        settings.training_dir.mkdir(parents=True, exist_ok=True)
        write_json(settings.training_dir / EVALUATION_FILE, run.evaluation.to_json())
        print(run.evaluation.table())
    print(f"buyers-{settings.dataset} version {version}, as of {at.isoformat()}, {len(run.users)} users known")
    return 0
