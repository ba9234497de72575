"""Tuning the recommender: recall@25 on stage two's validation windows, for LightGBM and for the candidates' sources."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from feature_repo.definitions.extents import HALF_LIVES_DAYS
from infra.settings import Settings
from training.ranker.lambdamart import fit, recall_at_25
from training.training_set.ranking_data import RankingData
from training.tune.narrowed import Narrowed, narrowed
from training.tune.space import OBJECTIVES, SWITCH, Dimension, Space, Value, lightgbm_dimensions, with_values
from training.tune.task import Task, Watch, digest
from training.tune.wide_set import WideSet, ready_set, widened

MODEL, METRIC = "recommender", "recall@25"
FOLDER = "tune"
HALF_LIFE = "sources.own_history.half_life_days"
LEAST = 10  # candidates of a source that is on
LEAST_UNION = 100
WEIGHTS = ("equal", "per_list")
EVALUATION_ONLY = ("bootstrap_resamples",)


def recommender_task(
    settings: Settings, params: Mapping[str, Any], until: datetime, *, wider: float = 1.5, half_lives: bool = False
) -> Task:
    """``params``: the section ``recommend``. ``wider``: sources of at most so many times
    their size are tried. ``half_lives``: try each one that own_history can have, with a training set of its own.

    Raises as :func:`training.stage_two.training_set.write_training_set`.
    """
    present = int(params["sources"]["own_history"]["half_life_days"])
    days = HALF_LIVES_DAYS if half_lives else (present,)
    wide = {each: widened(with_values(params, {HALF_LIFE: each}), wider) for each in days}
    folder = settings.training_dir / FOLDER
    sets = {each: ready_set(settings, wide[each], until, folder / f"half_life_{each}") for each in days}
    space = Space(_dimensions(params, wide[days[0]], sets[days[0]].sources, days))
    return Task(
        MODEL,
        METRIC,
        ("recommend",),
        space,
        digest(space, [sets[each].content_hash for each in days], METRIC, _fixed(space, params)),
        _Measure(settings, params, wide[days[0]], sets, present),
        "train.lightgbm.objective",
    )


class _Measure:
    """Fits on the candidates that a trial's sizes leave. Only the set of the last half-life is in memory."""

    def __init__(
        self,
        settings: Settings,
        params: Mapping[str, Any],
        wide: Mapping[str, Any],
        sets: Mapping[int, WideSet],
        present: int,
    ) -> None:
        self._settings, self._params, self._wide, self._sets, self._present = settings, params, wide, sets, present
        self._read: tuple[int, dict[str, RankingData]] | None = None

    def __call__(self, values: Mapping[str, Value], watch: Watch) -> float:
        params = with_values(self._params, values)
        days = int(values.get(HALF_LIFE, self._present))
        if self._read is None or self._read[0] != days:
            self._read = None  # before the next one is read
            self._read = (days, self._sets[days].read())
        data = self._read[1]
        sources = self._sets[days].sources
        sizes = {name: int(params["sources"][name]["candidates"]) for name in sources}
        limit = int(params["candidates"])
        train = narrowed(data["train"], sources, sizes, limit, positive_only=True).data
        validation = narrowed(data["validation"], sources, sizes, limit)
        if not len(train.labels) or not (validation.data.sizes > 1).any():
            return 0.0  # with these sizes there is nothing to put in order
        fitted = fit(
            train,
            validation.data,
            params["train"],
            self._settings.threads,
            measured=recall_at_25,
            watch=lambda rounds, value: watch(rounds, recall_of_all(validation, value)),
        )
        return recall_of_all(validation, fitted.validation)


def recall_of_all(found: Narrowed, judged: float) -> float:
    """Mean recall over all lists of the wide set. ``judged``: over those that still have two candidates.

    So that a parameter does not win by losing the lists for which it finds nothing.
    """
    data = found.data
    one = data.sizes == 1
    hits = (data.labels[data.starts[one]] > 0) / np.maximum(data.relevant_total[one], 1)
    return float((judged * np.count_nonzero(~one) + hits.sum()) / len(found.lists))


def _dimensions(
    params: Mapping[str, Any], wide: Mapping[str, Any], sources: tuple[str, ...], days: tuple[int, ...]
) -> tuple[Dimension, ...]:
    train = params["train"]
    found = [
        *lightgbm_dimensions("train.lightgbm.", train["lightgbm"], OBJECTIVES),
        Dimension("train.weights", choices=WEIGHTS, present=train.get("weights", WEIGHTS[0])),
    ]
    limit = min(int(params["candidates"]), int(wide["candidates"]))
    found.append(Dimension("candidates", min(LEAST_UNION, limit), int(wide["candidates"]), log=True, present=limit))
    for name in sources:
        path = f"sources.{name}.candidates"
        size, most = int(params["sources"][name]["candidates"]), int(wide["sources"][name]["candidates"])
        switch = path + SWITCH
        found.append(Dimension(switch, choices=(True, False), present=True))
        low = min(LEAST, size)
        found.append(Dimension(path, low, most, present=size, only_if=(switch, True), otherwise=0))
    if len(days) > 1:
        present = int(params["sources"]["own_history"]["half_life_days"])
        found.append(Dimension(HALF_LIFE, choices=days, present=present))
    return tuple(found)


def _fixed(space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
    """What a fit depends on beside the values and the set."""
    train: dict[str, Any] = space.untuned({"train": params["train"], "sources": {}})["train"]
    return {name: value for name, value in train.items() if name not in EVALUATION_ONLY}
