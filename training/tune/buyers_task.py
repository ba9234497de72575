"""Tuning the buyer model: average precision on its stopping windows, which end before any window that judges it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from feature_repo.store import open_store
from infra.settings import Settings
from training.buyers.buyer_metrics import average_precision
from training.buyers.buyer_model import stopped_trees
from training.buyers.orders import open_orders
from training.buyers.windows import LabelledWindows, TooFewWindows, UserSet, WindowPlan
from training.tune.space import Space, Value, lightgbm_dimensions, with_values
from training.tune.task import Task, Watch, digest

MODEL, METRIC, SECTION = "buyers", "average_precision", ("recommend", "buyers")
EVERY = 25  # rounds from one value that the pruner sees to the next
SHAPING = ("windows", "max_rows", "judged_windows", "recall_among_first")  # of the data, which are hashed themselves


def tuned_until(at: datetime, recommend: Mapping[str, Any]) -> datetime:
    """The start of the oldest window before ``at`` that judges the buyers or stage two."""
    windows = recommend["windows"]
    days = int(windows["days"])
    test = days + int(windows["every_days"]) * (int(windows["test"]) - 1)
    return at - timedelta(days=max(test, days * int(recommend["buyers"]["judged_windows"])))


def buyers_task(settings: Settings, recommend: Mapping[str, Any], at: datetime) -> Task:
    """``recommend``: the section ``recommend``.

    Windows are those before :func:`tuned_until`, read once for all trials.

    Raises DatasetError, OfflineError, RedisServerError or TooFewWindows.
    """
    params = recommend["buyers"]
    train, stopping = _sets(settings, params, tuned_until(at, recommend), int(recommend["windows"]["days"]))
    section = {name: value for name, value in params.items() if name not in SHAPING}
    space = Space(lightgbm_dimensions("lightgbm.", section["lightgbm"]))

    def measure(values: Mapping[str, Value], watch: Watch) -> float:
        def seen(environment: Any) -> None:
            rounds = environment.iteration + 1
            if rounds % EVERY == 0:
                scores = environment.model.predict(stopping.matrix, num_iteration=rounds, raw_score=True)
                watch(rounds, average_precision(scores, stopping.labels))

        trees = stopped_trees(settings, with_values(section, values), train, stopping, [seen])
        rounds = max(1, int(trees.best_iteration))
        scores = trees.predict(stopping.matrix, num_iteration=rounds, raw_score=True)
        return average_precision(scores, stopping.labels)

    return Task(
        MODEL, METRIC, SECTION, space, digest(space, _content(train, stopping), space.untuned(section)), measure
    )


def _sets(settings: Settings, params: Mapping[str, Any], until: datetime, days: int) -> tuple[UserSet, UserSet]:
    """The windows for training and for stopping. None is kept to calibrate, since the metric is one of the order."""
    sizes = params["windows"]
    with open_orders(settings, until) as orders:
        first = orders.first_event()
        if first is None or first >= until:
            raise TooFewWindows(f"the log holds no event before {until.isoformat()}")
        plan = WindowPlan.before(until, days, first, int(sizes["train"]), int(sizes["stopping"]), 0)
        rows = max(1, int(params["max_rows"]) // int(sizes["train"]))
        windows = LabelledWindows(open_store(settings, known_at=until), orders, days, rows)
        train, stopping = windows.of(plan.train), windows.of(plan.stopping)
    for name, found in (("train on", train), ("stop by", stopping)):
        if found.labels.min(initial=1) == found.labels.max(initial=0):
            raise TooFewWindows(f"of {len(found)} users in the windows to {name} all ordered, or none")
    return train, stopping


def _content(*sets: UserSet) -> str:
    found = hashlib.sha256()
    for each in sets:
        for values in (each.matrix, each.labels, each.starts):
            found.update(values.tobytes())
    return found.hexdigest()
