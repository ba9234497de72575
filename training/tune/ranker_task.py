"""Tuning the ranker: NDCG@10 on the validation slates of the training set that is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from feature_repo.contract import current_contract
from feature_repo.datasets.declarations.built_in import declaration_of
from infra.settings import Settings
from training.ranker.lambdamart import fit
from training.training_set.build import RECIPE_FILE, TRAINING_SET_FILE
from training.training_set.levels import Levels
from training.training_set.ranking_data import load_splits
from training.training_set.recipe import required_recipe
from training.tune.space import OBJECTIVES, Space, Value, lightgbm_dimensions, with_values
from training.tune.task import Task, Watch, digest

TUNED_SPLITS = ("train", "validation")
MODEL, METRIC, SECTION = "ranker", "ndcg@10", ("train",)
EVALUATION_ONLY = ("bootstrap_resamples", "label_hours")  # change no fit


def ranker_task(settings: Settings, params: Mapping[str, Any]) -> Task:
    """``params``: of the whole file. Raises DatasetError or BadTrainingSet."""
    section = {name: value for name, value in params["train"].items() if name not in EVALUATION_ONLY}
    folder = settings.training_dir
    names = current_contract(settings.dataset, declaration_of(settings)).feature_names
    data = load_splits(folder / TRAINING_SET_FILE, names, TUNED_SPLITS, Levels.of(section))
    recipe = required_recipe(folder / RECIPE_FILE)
    space = Space(lightgbm_dimensions("lightgbm.", section["lightgbm"], OBJECTIVES))

    def measure(values: Mapping[str, Value], watch: Watch) -> float:
        fitted = fit(data["train"], data["validation"], with_values(section, values), settings.threads, watch=watch)
        return fitted.validation

    hashed = digest(space, recipe.content_hash, METRIC, space.untuned(section))
    return Task(MODEL, METRIC, SECTION, space, hashed, measure, "lightgbm.objective")
