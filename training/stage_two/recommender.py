"""A fitted stage two: a ranker with the sources that make its candidates, and what its scores mean."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from feature_repo.candidates.stage_two_features import recommend_contract, recommend_features
from feature_repo.candidates.union import Sources
from feature_repo.datasets.declarations.built_in import declaration_of
from infra.models.model_contract import ModelContract
from infra.models.ranker import LightGbmRanker, score_groups
from infra.progress import step
from infra.settings import Settings
from training.evaluation.platt_scaling import PlattScaling
from training.ranker.lambdamart import Fitted, fit, recall_at_25
from training.stage_two.training_set import Written, write_training_set
from training.training_set.levels import Levels
from training.training_set.ranking_data import RankingData, load_splits


@dataclass(frozen=True)
class Recommender:
    """``scaling``: score -> probability that a user who orders in a window orders the item, fitted on validation."""

    ranker: LightGbmRanker
    sources: Sources
    scaling: PlattScaling


@dataclass(frozen=True)
class FittedRecommender:
    """``data``: the splits train, validation and test; ``written``: their file, recipe and sources."""

    recommender: Recommender
    contract: ModelContract
    fitted: Fitted
    data: dict[str, RankingData]
    written: Written


def fit_recommender(settings: Settings, params: Mapping[str, Any], until: datetime, folder: Path) -> FittedRecommender:
    """Build the training set in ``folder`` and fit a ranker, all on what was received before ``until``.

    ``params``: the section ``recommend``. Raises as :func:`write_training_set`, and
    BadTrainingSet.
    """
    declaration = declaration_of(settings)
    written = write_training_set(settings, params, until, folder)
    names = tuple(feature.name for feature in recommend_features(declaration, written.sources))
    with step("reading the training set"):
        read = load_splits(written.path, names, levels=Levels.of(params["train"]))
        # click_through takes a label for known after a day; here it is known at the window's end.
        data = {name: replace(split, click_through=None) for name, split in read.items()}
    print("  fitting LambdaMART ...", file=sys.stderr)
    fitted = fit(data["train"], data["validation"], params["train"], settings.threads, measured=recall_at_25)
    ranker = fitted.ranker
    validation = data["validation"]
    scores = score_groups(ranker, validation.matrix, validation.sizes, settings.threads)
    recommender = Recommender(ranker, written.sources, PlattScaling.fit(scores, validation.labels > 0))
    contract = recommend_contract(settings.dataset, declaration, written.sources)
    return FittedRecommender(recommender, contract, fitted, data, written)
