"""The ranker without each feature family: NDCG@10 on the validation slates of its training set."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

import numpy as np

from feature_repo.contract import current_contract
from feature_repo.datasets.declarations.built_in import declaration_of
from infra.settings import Settings
from training.ablation.columns import without_columns
from training.ablation.experiment import FEATURES, Arm, Experiment, Splits
from training.ablation.families import feature_families
from training.ranker.lambdamart import ndcg_at_10
from training.training_set.build import TRAINING_SET_FILE
from training.training_set.levels import Levels
from training.training_set.ranking_data import RankingData, load_splits

MODEL, METRIC = "ranker", "ndcg@10"
READ = ("train", "validation")  # the test split is not read


def ranker_experiment(settings: Settings, params: Mapping[str, Any]) -> Experiment:
    """``params``: of the whole file. Raises DatasetError or BadTrainingSet."""
    declaration = declaration_of(settings)
    names = current_contract(settings.dataset, declaration).feature_names
    data = load_splits(settings.training_dir / TRAINING_SET_FILE, names, READ, Levels.of(params["train"]))
    train, validation = data["train"], data["validation"].judged()
    arms = [
        Arm(FEATURES, family, partial(_without, train, validation, columns))
        for family, columns in feature_families(declaration).items()
    ]
    return Experiment(
        MODEL,
        METRIC,
        ndcg_at_10,
        params["train"],
        partial(_without, train, validation, ()),
        arms,
        validation.clusters,
        float("nan"),
    )


def _without(train: RankingData, validation: RankingData, columns: Collection[str]) -> Splits:
    return Splits(
        without_columns(train, columns), without_columns(validation, columns), np.ones(len(validation.sizes), bool)
    )
