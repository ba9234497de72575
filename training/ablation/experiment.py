"""An ablation: a full model, and models that lack a part of it, fitted alike and judged on the same lists."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from infra.models.arrays import Doubles
from infra.models.ranker import score_groups
from training.evaluation.bootstrap import Interval, mean_interval, paired_difference
from training.evaluation.metrics import slate_metrics
from training.evaluation.ranker_evaluation import scored_slates
from training.ranker.lambdamart import Fitted, fit
from training.ranker.rounds import Measure
from training.training_set.ranking_data import RankingData

Kept = npt.NDArray[np.bool_]
FEATURES, SOURCE, SEQUENCE = "features", "source", "sequence"  # kinds of parts


@dataclass(frozen=True)
class Splits:
    """``lists``: (g,) whether each judged list is in ``validation``; one that is not has lost all its candidates."""

    train: RankingData
    validation: RankingData
    lists: Kept


@dataclass(frozen=True)
class Arm:
    """A model that differs from the full one by a part, of a ``kind``.

    ``added``: the full model does not have the part, this one does.
    """

    kind: str
    name: str
    splits: Callable[[], Splits]
    added: bool = False


@dataclass(frozen=True)
class Experiment:
    """``metric``: of :data:`training.evaluation.metrics.METRICS`; ``measured``: the same, to choose the rounds by.

    ``clusters``: (g,) the user of each judged list. ``missing``: the value of a list without candidates; NaN leaves it
    out of both models. ``params``: as :func:`training.ranker.lambdamart.fit` takes them.
    """

    model: str
    metric: str
    measured: Callable[[RankingData], Measure]
    params: Mapping[str, Any]
    full: Callable[[], Splits]
    arms: Sequence[Arm]
    clusters: npt.NDArray[np.int64] | None
    missing: float


@dataclass(frozen=True)
class Row:
    """``columns``, ``value``: of the model of the arm. ``worth``: with the part minus without it, on the same lists."""

    kind: str
    name: str
    columns: int
    value: Interval
    worth: Interval


@dataclass(frozen=True)
class Ablation:
    """``rounds``: of every model, the best number of the full one. ``users``: that the lists are of."""

    rounds: int
    seeds: int
    users: int
    columns: int
    full: Interval
    rows: tuple[Row, ...]


def run(experiment: Experiment, threads: int, seeds: int = 1) -> Ablation:
    """Fit all models. ``seeds``: so many fits of each, over which the metric of each list is averaged."""
    splits = experiment.full()
    first = fit(splits.train, splits.validation, experiment.params, threads, measured=experiment.measured)
    rounds = first.best_round
    full = _values(experiment, splits, rounds, threads, seeds, first)
    columns = len(splits.train.feature_names)
    resamples, seed = int(experiment.params["bootstrap_resamples"]), int(experiment.params["seed"])

    def interval(values: Doubles) -> Interval:
        return mean_interval(values, seed, resamples, experiment.clusters)

    _say("full model", interval(full))
    del splits
    rows = []
    for arm in experiment.arms:
        splits = arm.splits()
        values = _values(experiment, splits, rounds, threads, seeds)
        more, less = (values, full) if arm.added else (full, values)
        worth = paired_difference(more, less, seed, resamples, experiment.clusters)
        rows.append(Row(arm.kind, arm.name, len(splits.train.feature_names), interval(values), worth))
        _say(f"{'with' if arm.added else 'without'} {arm.name}", worth)
        del splits  # before the next ones are made
    judged = ~np.isnan(full)
    users = int(judged.sum()) if experiment.clusters is None else len(np.unique(experiment.clusters[judged]))
    return Ablation(rounds, seeds, users, columns, interval(full), tuple(rows))


def _values(
    experiment: Experiment, splits: Splits, rounds: int, threads: int, seeds: int, first: Fitted | None = None
) -> Doubles:
    """(g,) the metric of each judged list, the mean over the seeds. ``first``: a fit of the first seed."""
    if not len(splits.train.labels) or not (splits.validation.sizes > 1).any():
        return np.full(len(splits.lists), experiment.missing)  # nothing is left to put in order
    found = []
    for i in range(seeds):
        params = {**experiment.params, "seed": int(experiment.params["seed"]) + i}
        fitted = first if first is not None and i == 0 else None
        if fitted is None:
            fitted = fit(splits.train, _one_list(splits.validation), params, threads, rounds=rounds)
        found.append(list_values(fitted, splits, experiment.metric, experiment.missing, threads))
    return np.asarray(np.mean(found, axis=0), np.float64)


def list_values(fitted: Fitted, splits: Splits, metric: str, missing: float, threads: int) -> Doubles:
    """(g,) of each judged list."""
    data = splits.validation
    values = np.full(len(splits.lists), missing)
    scores = score_groups(fitted.ranker, data.matrix, data.sizes, threads)
    values[splits.lists] = slate_metrics(scored_slates(data, scores)).values[metric]
    return values


def _one_list(data: RankingData) -> RankingData:
    """The first list that can be judged. Where the rounds are given the metric of each round is not needed, and on all
    lists it takes as long as the fit."""
    positives = np.add.reduceat(data.labels > 0, data.starts)
    chosen = int(np.argmax((data.sizes > 1) & (positives > 0)))
    return data.only(np.arange(len(data.sizes)) == chosen)


def _say(what: str, found: Interval) -> None:
    print(f"  {what}: {found.mean:.4f} [{found.low:.4f}, {found.high:.4f}]", file=sys.stderr, flush=True)
