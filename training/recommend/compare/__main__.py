"""``python -m training.recommend.compare``: what is listed, and who is chosen.

For each ``--at`` the models are fitted as of then, and the window after it must have happened. The first table: lists
for everybody, of the recommender, of references and of each source alone. The second: the recommender's lists for N
users, chosen in several ways. Each row has the mean recall per buyer in each window and pooled, and how much better the
first row is, with its interval over resampled users.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from infra.arguments import positive, timestamp
from infra.command import command_params, command_settings
from infra.models.arrays import Doubles, Floats, Integers
from infra.settings import Settings
from training.buyers.evaluation import BASELINES
from training.buyers.orders import has_happened, open_orders
from training.candidates.asked_time import BadTime, asked_time
from training.evaluation.bootstrap import Interval, mean_interval, paired_difference
from training.recommend.batch import best_users
from training.recommend.compare.reference_lists import reference_lists
from training.recommend.metric import bought_items, recalls
from training.recommend.prospects import REFUSALS, find_prospects
from training.recommend.submission import Submission, picked

EXPECTED, PROBABILITY, RECOMMENDER = "expected recall", "probability", "recommender"
FOLDER = "batch_compare"


def ways_to_choose(expected: Doubles, probability: Doubles, users: Floats) -> dict[str, Doubles]:
    """Way -> (q,) the highest are chosen. ``users``: (q, f) features of the buyer model."""
    return {
        EXPECTED: expected,
        PROBABILITY: probability,
        **{name: np.nan_to_num(score(users), nan=-np.inf) for name, score in BASELINES.items()},
    }


def recall_of_ways(
    lists: Submission, ways: Mapping[str, Doubles], bought: Mapping[str, set[str]], users: int, k: int
) -> dict[str, Doubles]:
    """Way -> (b,) recall of each buyer."""
    return {name: recalls(picked(lists, best_users(score, users)), bought, users, k) for name, score in ways.items()}


def compare(
    settings: Settings, params: Mapping[str, Any], ats: Sequence[datetime], days: int, users: int, k: int
) -> dict[str, Any]:
    """The body of the JSON file. Raises BadTime for a window that has not happened, and as :func:`find_prospects`."""
    params = {**params, "buyers": {**params["buyers"], "judged_windows": 0}}  # the choice is judged, not the model
    of_lists: dict[str, list[Doubles]] = {}
    of_ways: dict[str, list[Doubles]] = {}
    buyers: list[str] = []
    for at in (asked_time(settings, each) for each in ats):
        if not has_happened(settings, at, days):
            raise BadTime(
                f"the window of {days} days from {at.isoformat()} has not happened: there is nothing to compare"
            )
        with open_orders(settings, at) as orders:
            found = find_prospects(settings, params, orders, at, days, k, settings.training_dir / FOLDER)
            others = reference_lists(settings, params, orders, at, found.lists.users, k)
        end = at + timedelta(days=days)
        with open_orders(settings, end) as orders:
            bought = bought_items(orders.bought(at, end))
        buyers += bought
        ways = ways_to_choose(found.expected, found.probability, found.matrix)
        listed = {RECOMMENDER: found.lists, **others}
        _add(of_lists, {name: recalls(each, bought, len(each), k) for name, each in listed.items()}, at)
        _add(of_ways, recall_of_ways(found.lists, ways, bought, users, k), at)
    _, clusters = np.unique(np.array(buyers), return_inverse=True)
    seed, resamples = int(params["train"]["seed"]), int(params["train"]["bootstrap_resamples"])
    return {
        "at": [at.isoformat() for at in ats],
        "days": days,
        "users": users,
        "k": k,
        "buyers": [len(values) for values in of_ways[EXPECTED]],
        "lists": _rows(of_lists, clusters, seed, resamples),
        "ways": _rows(of_ways, clusters, seed, resamples),
    }


def _add(windows: dict[str, list[Doubles]], found: Mapping[str, Doubles], at: datetime) -> None:
    for name, values in found.items():
        windows.setdefault(name, []).append(values)
    listed = ", ".join(f"{name} {values.mean():.4f}" for name, values in found.items())
    print(f"  {at:%Y-%m-%d}: {listed}", file=sys.stderr)


def _rows(
    windows: Mapping[str, Sequence[Doubles]], clusters: Integers, seed: int, resamples: int
) -> dict[str, dict[str, Any]]:
    """Row -> its recall in each window and pooled; ``first_minus_it`` is the paired difference of the first row. A row
    that lacks a window is left out: it could not be compared."""
    pooled = {name: np.concatenate(values) for name, values in windows.items()}
    first = next(iter(pooled.values()))
    return {
        name: {
            "windows": [float(part.mean()) for part in windows[name]],
            "pooled": asdict(mean_interval(values, seed, resamples, clusters)),
            "first_minus_it": asdict(paired_difference(first, values, seed, resamples, clusters)),
        }
        for name, values in pooled.items()
        if len(values) == len(first)
    }


def table(head: str, rows: Mapping[str, Mapping[str, Any]], ats: Sequence[str]) -> str:
    """Markdown of :func:`compare`'s ``lists`` or ``ways``."""
    first = next(iter(rows))
    lines = [
        f"| {head} | {' | '.join(at[:10] for at in ats)} | pooled | {first} minus it |",
        f"|---|{'---|' * len(ats)}---|---|",
    ]
    for name, row in rows.items():
        difference = Interval(**row["first_minus_it"])
        values = " | ".join(f"{value:.4f}" for value in row["windows"])
        interval = f"{difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"
        lines.append(f"| {name} | {values} | {row['pooled']['mean']:.4f} | {interval if name != first else ''} |")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.recommend.compare", description=__doc__.split("\n")[0])
    parser.add_argument("--at", type=timestamp, required=True, nargs="+", metavar="TIMESTAMP", help="windows' starts")
    parser.add_argument("--days", type=positive, default=3)
    parser.add_argument("--users", type=positive, default=600)
    parser.add_argument("--k", type=positive, default=25)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args(argv)
    settings = command_settings()
    params = command_params(settings)["recommend"]
    try:
        body = compare(settings, params, arguments.at, arguments.days, arguments.users, arguments.k)
    except REFUSALS as error:
        print(f"training.recommend.compare: {error}", file=sys.stderr)
        return 2
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(body, indent=2) + "\n")
    print(table("lists for everybody", body["lists"], body["at"]))
    print()
    print(table(f"{body['users']} users by", body["ways"], body["at"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
