"""The training set that all trials of the recommender share, made once and used again while its key is the same.

It has more candidates than configured, and no cut of the union, so that a trial can take a part of it
(:mod:`training.tune.narrowed`). It has no test windows: they are neither read nor is anything of their time.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from feature_repo.candidates.stage_two_features import recommend_features
from feature_repo.candidates.union import KINDS
from feature_repo.contract import current_contract
from feature_repo.datasets.declarations.built_in import declaration_of
from infra.durable_file import write_durably
from infra.progress import step
from infra.settings import Settings
from training.stage_two.training_set import write_training_set
from training.training_set.build import RECIPE_FILE, TRAINING_SET_FILE
from training.training_set.levels import Levels
from training.training_set.ranking_data import RankingData, load_splits
from training.training_set.recipe import feature_service_hash, read_recipe

CARD = "wide_set.json"
TUNED_SPLITS = ("train", "validation")
SHAPING = ("sources", "candidates", "windows", "lists")


@dataclass(frozen=True)
class WideSet:
    """``features``: columns of the matrix; ``sources``: those that were fitted, in the order of the union.
    ``levels``: what the categories keep.
    """

    folder: Path
    key: str
    content_hash: str
    features: tuple[str, ...]
    sources: tuple[str, ...]
    levels: Levels

    def read(self) -> dict[str, RankingData]:
        """The splits train and validation. Raises BadTrainingSet."""
        with step(f"reading {self.folder.name}"):
            return load_splits(self.folder / TRAINING_SET_FILE, self.features, TUNED_SPLITS, self.levels)


def widened(params: Mapping[str, Any], wider: float) -> dict[str, Any]:
    """``params`` with sources that list ``wider`` times as many, all of which are in the union. 0 stays 0."""
    sources = {
        name: {**each, "candidates": math.ceil(each["candidates"] * wider)} for name, each in params["sources"].items()
    }
    return {**params, "sources": sources, "candidates": sum(each["candidates"] for each in sources.values())}


def ready_set(settings: Settings, params: Mapping[str, Any], until: datetime, folder: Path) -> WideSet:
    """The set in ``folder``, built unless it is of the same key. Raises as :func:`write_training_set`."""
    key = _key(settings, params, until)
    path = folder / CARD
    if path.exists():
        card = json.loads(path.read_text())
        if card["key"] == key:
            return _set(folder, card, params)
    folder.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    written = write_training_set(settings, params, until, folder, test=False)
    features = recommend_features(declaration_of(settings), written.sources)
    card = {"key": key, "features": [feature.name for feature in features], "sources": list(written.sources.names)}
    write_durably(path, json.dumps(card, indent=2).encode())
    return _set(folder, card, params)


def _set(folder: Path, card: Mapping[str, Any], params: Mapping[str, Any]) -> WideSet:
    recipe = read_recipe(folder / RECIPE_FILE)
    return WideSet(
        folder,
        card["key"],
        recipe.content_hash,
        tuple(card["features"]),
        tuple(card["sources"]),
        Levels.of(params["train"]),
    )


def _key(settings: Settings, params: Mapping[str, Any], until: datetime) -> str:
    """Of all that the set is made of: parameters, log, features, and the versions of what is computed from them."""
    declaration = declaration_of(settings)
    body = [
        {name: params[name] for name in SHAPING},
        params["train"]["seed"],
        until.isoformat(),
        feature_service_hash(current_contract(settings.dataset, declaration)),
        {name: kind.version for name, kind in KINDS.items()},
        asdict(declaration),
        list(_digests(settings)),
    ]
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()


def _digests(settings: Settings) -> Iterator[tuple[str, str]]:
    for folder in (settings.log_dir, settings.live_checked_dir, settings.features_dir):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                with path.open("rb") as file:
                    yield str(path.relative_to(settings.data_dir)), hashlib.file_digest(file, "sha256").hexdigest()
