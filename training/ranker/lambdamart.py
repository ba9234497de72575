"""Fitting LambdaMART (Burges 2010) with LightGBM.

The number of rounds is chosen by the metric that judges the model (:mod:`training.ranker.rounds`), and small data
has small leaves (:func:`leaf_size`).

Clicks depend on the position of an item on the screen. If the positions are known, LightGBM learns their bias beside
the trees, as a term of the score that is left out when the model serves (``position`` of a Dataset; after Unbiased
LambdaMART, Hu et al. 2019). The number of rounds is then chosen by clicks that are weighted for their position.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import lightgbm
import numpy as np

from infra.models.arrays import Doubles
from infra.models.ranker import LightGbmRanker
from training.evaluation.metrics import RepeatedNdcg, RepeatedRecall
from training.ranker.position_bias import WeightedClicks, examination
from training.ranker.rounds import Measure, RoundChoice
from training.training_set.ranking_data import RankingData

MIN_LEAF, LEAVES = 10, 16


@dataclass(frozen=True)
class Fitted:
    """A model with the trees up to its best round, and the metric of both splits by ``iteration``."""

    ranker: LightGbmRanker
    best_round: int
    curve: dict[str, list[float]]

    @property
    def booster(self) -> lightgbm.Booster:
        return self.ranker.booster

    @property
    def validation(self) -> float:
        """The metric of the validation split after the best round."""
        return self.curve["validation"][self.curve["iteration"].index(self.best_round)]


def ndcg_at_10(data: RankingData) -> Measure:
    return RepeatedNdcg(data.labels, data.sizes).mean


def recall_at_25(data: RankingData) -> Measure:
    return RepeatedRecall(data.labels, data.sizes, data.relevant_total).mean


def fit(
    train: RankingData,
    validation: RankingData,
    params: Mapping[str, Any],
    threads: int,
    *,
    rounds: int | None = None,
    measured: Callable[[RankingData], Measure] = ndcg_at_10,
    watch: Callable[[int, float], None] | None = None,
) -> Fitted:
    """Fit a model; equal input gives an equal model. ``params``: the section ``train`` of params.yaml.

    ``rounds``: the exact number of rounds; by default the best number on ``validation`` by the metric ``measured``.
    ``watch``: see :class:`RoundChoice`.
    ``params["weights"]``: "per_list" makes the rows of a list count by 1 / the number of wanted items, as recall does.
    """
    seed = int(params["seed"])
    settings = {
        "objective": "lambdarank",
        "metric": "None",
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
        "seed": seed,
        "num_threads": threads,
        **params["lightgbm"],
    }
    settings["min_data_in_leaf"] = leaf_size(int(settings.get("min_data_in_leaf", 20)), len(train.labels))
    train, validation = train.shuffled(seed), validation.judged().shuffled(seed)
    train_set = _dataset(train, weights=_weights(train, params.get("weights", "equal")))
    validation_set = _dataset(validation, reference=train_set)
    judged = measured(validation)
    deciding: Measure = judged
    if train.shown_at is not None:
        deciding = WeightedClicks.of(validation, examination(train, seed, threads)).discounted
    choice = RoundChoice(
        {"train": (train_set, _latest(train, len(validation.sizes), measured)), "validation": (validation_set, judged)},
        deciding,
        int(params.get("min_rounds", 1)),
        rounds or int(params["rounds"]),
        None if rounds else int(params["early_stopping_rounds"]),
        watch,
    )
    booster = lightgbm.train(
        settings,
        train_set,
        num_boost_round=rounds or int(params["rounds"]),
        valid_sets=[train_set, validation_set],
        valid_names=["train", "validation"],
        feval=choice.feval,
        callbacks=[choice],
    )
    best = rounds or choice.best or booster.current_iteration()
    text = booster.model_to_string(num_iteration=best)
    ranker = LightGbmRanker(lightgbm.Booster(model_str=text), train.feature_names, vocabulary=train.vocabulary)
    return Fitted(ranker, best, choice.curve)


def leaf_size(configured: int, rows: int) -> int:
    """The least rows of a leaf: as configured, but at most a LEAVES-th of the training rows, so that trees can split.

    Measured by NDCG@10 on test slates: with 1,300 rows (42 slates of the simulated shop) 300 gives 0.679 and 20 to 100
    give 0.73; with 9,000 rows and more, 300 is as good as less or better.
    """
    return min(configured, max(MIN_LEAF, rows // LEAVES))


def _latest(train: RankingData, slates: int, measured: Callable[[RankingData], Measure]) -> Measure:
    """The metric of at most the ``slates`` latest slates, because all of them would take as long as the fit."""
    sizes = train.sizes[-slates:]
    rows = int(sizes.sum())
    latest = replace(
        train,
        matrix=train.matrix[-rows:],
        labels=train.labels[-rows:],
        sizes=sizes,
        relevant_total=train.relevant_total[-slates:],
        shown_at=None,
        clusters=None,
        click_through=None,
    )
    measure = measured(latest)
    return lambda scores: measure(scores[-rows:])


def _weights(train: RankingData, kind: str) -> Doubles | None:
    """(n,) weights of the rows, with a mean of 1, so that leaves and regularization mean what they say."""
    if kind == "equal":
        return None
    if kind != "per_list":
        raise ValueError(f"params.yaml, train.weights: {kind!r} is neither 'equal' nor 'per_list'")
    weights = np.repeat(1.0 / np.maximum(train.relevant_total, 1), train.sizes)
    return np.asarray(weights / weights.mean(), np.float64)


def _dataset(
    data: RankingData, reference: lightgbm.Dataset | None = None, weights: Doubles | None = None
) -> lightgbm.Dataset:
    return lightgbm.Dataset(
        data.matrix,
        data.labels,
        weight=weights,
        group=data.sizes,
        position=data.shown_at,
        feature_name=list(data.feature_names),
        categorical_feature=data.categories,
        reference=reference,
        free_raw_data=True,
    )
