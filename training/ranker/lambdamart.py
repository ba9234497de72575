"""Fitting LambdaMART (Burges 2010) with LightGBM.

Clicks depend on the position of an item on the screen. If the positions are known, LightGBM learns their bias beside
the trees, as a term of the score that is left out when the model serves (``position`` of a Dataset; after Unbiased
LambdaMART, Hu et al. 2019). The number of rounds is then chosen by clicks that are weighted for their position.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightgbm

from infra.models.arrays import Doubles
from training.ranker.position_bias import WeightedClicks, examination
from training.training_set.ranking_data import RankingData

WEIGHTED = "weighted_clicks"


@dataclass(frozen=True)
class Fitted:
    """A model with the trees up to its best round, and NDCG@10 by round for both splits."""

    booster: lightgbm.Booster
    best_round: int
    curve: dict[str, list[float]]


def fit(
    train: RankingData, validation: RankingData, params: dict[str, Any], threads: int, *, rounds: int | None = None
) -> Fitted:
    """Fit a model; equal input gives an equal model. ``params``: the section ``train`` of params.yaml.

    ``rounds``: the exact number of rounds; by default the best number on ``validation``.
    """
    seed = int(params["seed"])
    settings = {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [10],
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
        "seed": seed,
        "num_threads": threads,
        **params["lightgbm"],
    }
    train, validation = train.shuffled(seed), validation.shuffled(seed)
    train_set = _dataset(train)
    validation_set = _dataset(validation, reference=train_set)
    patience = int(params["early_stopping_rounds"])
    stop, metric = lightgbm.early_stopping(patience, verbose=False), None
    if train.shown_at is not None:
        clicks = WeightedClicks.of(validation, examination(train, seed, threads))
        stop, metric = _StopByClicks(patience), _metric(clicks, validation_set)
    curve: dict[str, dict[str, list[float]]] = {}
    booster = lightgbm.train(
        settings,
        train_set,
        num_boost_round=rounds or int(params["rounds"]),
        valid_sets=[train_set, validation_set],
        valid_names=["train", "validation"],
        feval=metric,
        callbacks=[
            lightgbm.record_evaluation(curve),
            lightgbm.log_evaluation(50),
            *([] if rounds else [stop]),
        ],
    )
    best = rounds or booster.best_iteration or booster.current_iteration()
    text = booster.model_to_string(num_iteration=best)
    return Fitted(lightgbm.Booster(model_str=text), best, {name: values["ndcg@10"] for name, values in curve.items()})


def _metric(clicks: WeightedClicks, validation: lightgbm.Dataset) -> Callable[[Doubles, lightgbm.Dataset], list[Any]]:
    """The weighted clicks as a metric of LightGBM, which calls it for the train set too."""

    def metric(scores: Doubles, data: lightgbm.Dataset) -> list[tuple[str, float, bool]]:
        return [(WEIGHTED, clicks.discounted(scores), True)] if data is validation else []

    return metric


class _StopByClicks:
    """Early stopping by the weighted clicks. LightGBM's own callback uses either the first metric or all of them."""

    order = 30
    before_iteration = False

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self._best: tuple[float, int] = (-math.inf, 0)

    def __call__(self, environment: Any) -> None:
        found = environment.evaluation_result_list
        value = next(result[2] for result in found if result[1] == WEIGHTED)
        if value > self._best[0]:
            self._best = (value, environment.iteration)
        is_last = environment.iteration == environment.end_iteration - 1
        if is_last or environment.iteration - self._best[1] >= self._patience:
            raise lightgbm.EarlyStopException(self._best[1], found)


def _dataset(data: RankingData, reference: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
    return lightgbm.Dataset(
        data.matrix,
        data.labels,
        group=data.sizes,
        position=data.shown_at,
        feature_name=list(data.feature_names),
        reference=reference,
        free_raw_data=True,
    )
