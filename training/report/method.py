"""The sections on the stack and the method: one paragraph each, with the versions and parameters in use."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.definitions.views import views
from feature_repo.model_features import model_features
from training.ablation.families import feature_families
from training.report.study import Section, Study, block, paragraph

COMMAND = "python -m feature_repo.datasets"


def stack(study: Study) -> Section:
    text = (
        f"Feast {_version('feast')} holds the definitions of the features and joins them to past lists as they were "
        f"known then. DuckDB {_version('duckdb')} builds them from the log into parquet. Redis holds the newest "
        f"values for serving, FastAPI {_version('fastapi')} answers. LightGBM {_version('lightgbm')} ranks and "
        f"predicts who orders, MLflow {_version('mlflow')} keeps runs and models, Great Expectations "
        f"{_version('great-expectations')} checks the data, and Optuna {_version('optuna')} searches parameters. "
        "Training and serving compute features with the same code."
    )
    return Section("stack", "Stack", paragraph(text))


def method(study: Study) -> Section:
    return Section("method", "Method", block(lambda: _method(study), COMMAND))


def _method(study: Study) -> str:
    declaration = declaration_of(study.settings)
    recommend, windows = study.recommend, study.recommend["windows"]
    families = feature_families(declaration)
    on = [name for name, each in recommend["sources"].items() if int(each["candidates"]) > 0]
    ranker = (
        f"Two models are trained. The ranker puts a given list in order: {_objective(study.params['train'])} on "
        f"{len(model_features(declaration))} features in {len(families)} families, from {len(views(declaration))} "
        "feature views, of which each value is the one known when the list was shown; lists are split by time into "
        "train, validation and test, and NDCG@10 on validation chooses the number of rounds. "
    )
    second = (
        "The recommender is given no list: "
        f"{len(on)} candidate sources are switched on ({', '.join(on) or 'none'}), of which "
        f"those that the data can feed name at most {recommend['candidates']} items, and "
        f"{_objective(recommend['train'])} with the ranker's features and each source's score and rank puts them in "
        f"order. Its lists come from windows of {windows['days']} days, {windows['train']} to train, "
        f"{windows['validation']} to validate and the newest {windows['test']} to test; its sources are fitted on "
        "what was received before the windows that share them, and a wanted item that no source names counts as "
        "missed. "
    )
    judged = (
        "Everything is chosen on validation; the test lists only report. Models are compared on the same lists, with "
        "95 % intervals from a bootstrap that draws whole users."
    )
    return paragraph(ranker + second + judged)


def _objective(params: Mapping[str, Any]) -> str:
    return f"LightGBM with the objective {params['lightgbm'].get('objective', 'lambdarank')}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
