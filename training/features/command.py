"""``python -m training.features``: what each input of the ranker covers, is worth, costs online, and how it drifts.

    python -m training.features [--slates N] [--repeats N] [--split validation|test] [--version V]
                                [--ablate [--seeds N]] [--json FILE]

Reviews the newest trained version of the ranker, promoted or not. The page is ``features.html`` in the reports folder.
Without ``--ablate`` the families' ablation is shown if it was made on the same training set.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from feature_repo.contract import current_contract
from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.model_features import feature_matrix
from feature_repo.offline.errors import OfflineError
from feature_repo.schema import Declaration
from infra.arguments import positive
from infra.command import command_params, command_settings
from infra.models.arrays import Doubles, Floats
from infra.models.model_store import ModelStore, ModelStoreError
from infra.models.ranker import LightGbmRanker
from infra.models.vocabulary import Vocabulary
from infra.progress import step
from infra.redis_server.server import RedisServerError
from infra.report_page.page import write_page
from infra.settings import Settings
from training.ablation.command import ablate
from training.ablation.families import feature_families
from training.ablation.results import ranker_results
from training.evaluation.run_files import write_json
from training.features.importance import Shuffling
from training.features.model import OtherModel, reviewed_model
from training.features.online_cost import OnlineCost, online_cost
from training.features.review import Gain, distributions, permuted, review
from training.features.served_slates import sampled_slates
from training.features.tables import html, markdown
from training.training_set.build import RECIPE_FILE, TRAINING_SET_FILE
from training.training_set.ranking_data import BadTrainingSet, load_splits
from training.training_set.recipe import Recipe, required_recipe

PAGE = "features.html"
SLATES, REPEATS, TIMED_SLATES = 1_000, 3, 200


@dataclass(frozen=True)
class Wanted:
    """``slates``: at most, of the ``split``, to shuffle features in. ``ablate``: fit a model without each family."""

    slates: int = SLATES
    repeats: int = REPEATS
    split: str = "validation"
    version: str | None = None
    ablate: bool = False
    seeds: int = 1


def feature_review(settings: Settings, params: Mapping[str, Any], wanted: Wanted) -> dict[str, Any]:
    """The body of the JSON file. ``params``: of the whole file.

    Raises DatasetError, BadTrainingSet, ModelStoreError or OtherModel.
    """
    declaration = declaration_of(settings)
    contract = current_contract(settings.dataset, declaration)
    store = ModelStore(settings)
    model = reviewed_model(store, contract, wanted.version)
    champion = store.champion()
    ranker = model.ranker
    assert isinstance(ranker, LightGbmRanker)  # reviewed_model refuses others
    path = settings.training_dir / TRAINING_SET_FILE
    seed = int(params["train"]["seed"])
    with step("coverage and drift"):
        spread = distributions(path, declaration)
        recipe = required_recipe(settings.training_dir / RECIPE_FILE)
    judged = load_splits(path, contract.feature_names, (wanted.split,), ranker.vocabulary)[wanted.split].judged()
    data, gain = judged.sample(wanted.slates, seed), Gain.of(ranker)
    shuffling = Shuffling(wanted.repeats, seed, int(params["train"]["bootstrap_resamples"]))

    def score(matrix: Floats) -> Doubles:
        return ranker.predict(matrix, settings.threads)

    print("  shuffling ...", file=sys.stderr)
    found = permuted(data, score, gain, feature_families(declaration), shuffling)
    with step("cost online"):
        cost, problem = measured_cost(settings, declaration, recipe, seed, ranker.vocabulary)
    if wanted.ablate:
        print("  fitting a model without each family ...", file=sys.stderr)
        ablate(settings, params, "ranker", None, wanted.seeds)
    ablation = ranker_results(settings.training_dir, recipe.content_hash)
    return {
        "dataset": settings.dataset,
        "model": {
            "name": model.name,
            "version": model.version,
            "champion": champion is not None and str(champion.version) == model.version,
        },
        "training_set": recipe.content_hash,
        "judged_on": wanted.split,
        "repeats": wanted.repeats,
        "cost_problem": problem,
        **review(declaration, spread, gain, found, cost, ablation),
    }


def measured_cost(
    settings: Settings, declaration: Declaration, recipe: Recipe, seed: int, vocabulary: Vocabulary
) -> tuple[OnlineCost | None, str | None]:
    """The cost, or why it cannot be measured: the review needs no Redis and no feature files, the slates do."""
    known_at = datetime.fromisoformat(recipe.known_at)
    try:
        slates = sampled_slates(settings, declaration, known_at, TIMED_SLATES, seed)
        return online_cost(slates, declaration, lambda slate: feature_matrix(slate, declaration, vocabulary)), None
    except (DatasetError, OfflineError, RedisServerError) as error:
        return None, str(error).splitlines()[0]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.features", description=__doc__.split("\n")[0])
    parser.add_argument("--slates", type=positive, default=SLATES, help="slates at most in which features are shuffled")
    parser.add_argument("--repeats", type=positive, default=REPEATS, help="shuffles of each feature")
    parser.add_argument("--split", choices=("validation", "test"), default="validation", help="that they are of")
    parser.add_argument("--version", metavar="V", help="of the ranker; default: the newest trained one")
    parser.add_argument("--ablate", action="store_true", help="fit a model without each family; takes a fit per family")
    parser.add_argument("--seeds", type=positive, default=1, help="of the ablation: fits of each model")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args(argv)
    wanted = Wanted(**{name: value for name, value in vars(arguments).items() if name != "json"})
    settings = command_settings("training.features")
    params = command_params(settings, "training.features")
    try:
        found = feature_review(settings, params, wanted)
    except (DatasetError, BadTrainingSet, ModelStoreError, OtherModel) as error:
        print(f"training.features: {error}", file=sys.stderr)
        return 2
    if arguments.json is not None:
        write_json(arguments.json, found)
    print(markdown(found))
    print(write_page(settings.reports_dir / PAGE, html(found)), file=sys.stderr)
    return 0
