"""Fitting LambdaMART (Burges 2010) with LightGBM.

Labels that are clicks depend on where an item stood. With positions LightGBM learns their bias beside the trees, as
an addend of the score that is left out when scoring (Unbiased LambdaMART in the spirit of Hu et al. 2019; its
``position`` of a Dataset), and the number of rounds is chosen by clicks that are weighed for their place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightgbm

from infra.models.ranker import Doubles
from training.ranker.position_bias import WeighedClicks, examination
from training.training_set.ranking_data import RankingData

WEIGHED = "weighed_clicks"


@dataclass(frozen=True)
class Fitted:
    """A model cut at its best round, and NDCG@10 by round for both splits."""

    booster: lightgbm.Booster
    best_round: int
    curve: dict[str, list[float]]


def fit(
    train: RankingData, validation: RankingData, params: dict[str, Any], threads: int, *, rounds: int | None = None
) -> Fitted:
    """Equal input gives an equal model. ``params`` is the ``train`` part of params.yaml.

    With ``rounds`` exactly so many are kept; otherwise those up to the best on ``validation``.
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
    dealt, dealt_validation = train.shuffled(seed), validation.shuffled(seed)
    train_set = _dataset(dealt)
    validation_set = _dataset(dealt_validation, reference=train_set)
    patience = int(params["early_stopping_rounds"])
    stop, weigh = lightgbm.early_stopping(patience, verbose=False), None
    if dealt.shown_at is not None:
        clicks = WeighedClicks.of(dealt_validation, examination(dealt, seed, threads))
        stop, weigh = _Stop(patience), _weighing(clicks, validation_set)
    curve: dict[str, dict[str, list[float]]] = {}
    booster = lightgbm.train(
        settings,
        train_set,
        num_boost_round=rounds or int(params["rounds"]),
        valid_sets=[train_set, validation_set],
        valid_names=["train", "validation"],
        feval=weigh,
        callbacks=[
            lightgbm.record_evaluation(curve),
            lightgbm.log_evaluation(50),
            *([] if rounds else [stop]),
        ],
    )
    best = rounds or booster.best_iteration or booster.current_iteration()
    text = booster.model_to_string(num_iteration=best)
    return Fitted(lightgbm.Booster(model_str=text), best, {name: values["ndcg@10"] for name, values in curve.items()})


def _weighing(clicks: WeighedClicks, judged: lightgbm.Dataset) -> Callable[[Doubles, lightgbm.Dataset], list[Any]]:
    """LightGBM's way to be told how good the scores of ``judged`` are; it asks for other data too."""

    def weigh(scores: Doubles, data: lightgbm.Dataset) -> list[tuple[str, float, bool]]:
        return [(WEIGHED, clicks.discounted(scores), True)] if data is judged else []

    return weigh


class _Stop:
    """Early stopping by the weighed clicks: LightGBM's own takes the first of several metrics, or all."""

    order = 30
    before_iteration = False

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self._best: tuple[float, int] = (-math.inf, 0)

    def __call__(self, environment: Any) -> None:
        found = environment.evaluation_result_list
        value = next(result[2] for result in found if result[1] == WEIGHED)
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
