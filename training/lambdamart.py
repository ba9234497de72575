"""Fitting LambdaMART (Burges 2010) with LightGBM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lightgbm

from training.ranking_data import RankingData


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
    train_set = _dataset(train.shuffled(seed))
    validation_set = _dataset(validation.shuffled(seed), reference=train_set)
    curve: dict[str, dict[str, list[float]]] = {}
    booster = lightgbm.train(
        settings,
        train_set,
        num_boost_round=rounds or int(params["rounds"]),
        valid_sets=[train_set, validation_set],
        valid_names=["train", "validation"],
        callbacks=[
            lightgbm.record_evaluation(curve),
            lightgbm.log_evaluation(50),
            *([] if rounds else [lightgbm.early_stopping(int(params["early_stopping_rounds"]), verbose=False)]),
        ],
    )
    best = rounds or booster.best_iteration or booster.current_iteration()
    text = booster.model_to_string(num_iteration=best)
    return Fitted(lightgbm.Booster(model_str=text), best, {name: values["ndcg@10"] for name, values in curve.items()})


def _dataset(data: RankingData, reference: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
    return lightgbm.Dataset(
        data.matrix,
        data.labels,
        group=data.sizes,
        feature_name=list(data.feature_names),
        reference=reference,
        free_raw_data=True,
    )
