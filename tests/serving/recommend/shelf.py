"""More of the shop of :mod:`tests.serving.world`: a shelf of items, sources made by hand, and a model of stage two.

Items: a, d, e (fruit), b, f (bread), c (no category), and n, which is two days old; q has no row. a costs 1.10, b 2.20,
c has no price, the others cost 2.00 and are of shop s1. Only e has the flag is_private_brand 0, which stands for an
item that is sold out. User u ordered a and b; session s holds b in its cart and viewed a.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import yaml
from fastapi.testclient import TestClient

from feature_repo.candidates import stage_two_features, union
from feature_repo.candidates.item_codes import Codes, ItemCodes
from feature_repo.candidates.queries import Queries
from feature_repo.candidates.source import Candidates, SourceKind
from feature_repo.candidates.sources.own_history import OwnHistory
from feature_repo.candidates.stage_two_features import recommend_contract, recommend_features
from feature_repo.candidates.union import Sources
from infra.clock import Clock, FixedClock
from infra.models.model_store import ModelStore
from infra.models.ranker import BaselineRanker, LightGbmRanker, Ranker
from infra.models.trees.score_parity import sample
from infra.redis_server.server import EVENTS, start, stop
from infra.settings import Settings
from serving.api.app import create_app
from tests.serving import world

OLD, NEW = world.ago(days=100), world.ago(days=2)
CATEGORIES = {"d": "fruit", "e": "fruit", "f": "bread", "n": "nuts"}
CODES = ItemCodes.of_ids(["a", "b", "c", "d", "e", "f", "q"])
TRENDING = ("d", "a", "e", "f", "b")  # for everybody, the best first
ALIKE = {"a": ("d", "b"), "d": ("a", "e", "q")}


@dataclass(frozen=True)
class Listed:
    """Answers every query with the same items, and knows which items are alike."""

    name: str
    items: tuple[str, ...]
    alike: dict[str, tuple[str, ...]]

    def candidates(self, queries: Queries, k: int) -> Candidates:
        q = len(queries)
        return self._best(np.repeat(np.arange(q), len(self.items)), [*self.items] * q, q, k)

    def similar(self, items: Codes, k: int) -> Candidates:
        pairs = [(row, each) for row, i in enumerate(CODES.decode(items)) for each in self.alike.get(i, ())]
        return self._best(np.array([row for row, _ in pairs], np.int64), [each for _, each in pairs], len(items), k)

    @staticmethod
    def _best(rows: Any, ids: list[str], queries: int, k: int) -> Candidates:
        scores = -np.arange(len(ids), dtype=np.float64)
        return Candidates.best(rows, CODES.encode(ids), scores, queries, k)

    def save(self, folder: Path) -> None:
        (folder / "listed.json").write_text(json.dumps([self.name, self.items, self.alike]))

    @staticmethod
    def load(folder: Path, _: ItemCodes) -> Listed:
        name, items, alike = json.loads((folder / "listed.json").read_text())
        return Listed(name, tuple(items), {item: tuple(ids) for item, ids in alike.items()})


SOURCES = Sources(
    CODES,
    (OwnHistory(60), Listed("trending", TRENDING, ALIKE), Listed("others", ("c", "d"), {"a": ("b",)})),
    {"own_history": 10, "trending": 3, "others": 5},
    limit=10,
    known_at_us=world.us(world.ROW_AT),
)
FEATURES = tuple(feature.name for feature in recommend_features(world.DECLARATION, SOURCES))


@contextmanager
def listed_kinds() -> Iterator[None]:
    """Models with these sources can be registered and loaded; only then, because all tests share the kinds."""
    kinds = {name: SourceKind(name, 1, Listed.load) for name in ("trending", "others")}
    with pytest.MonkeyPatch.context() as patch:
        for module in (union, stage_two_features):
            patch.setattr(module, "KINDS", {**module.KINDS, **kinds})
        yield


def write_shelf(settings: Settings) -> None:
    for item, category in CATEGORIES.items():
        seen = NEW if item == "n" else OLD
        more = {"price": 2.0, "shop_id": "s1", "is_private_brand": 0.0 if item == "e" else None}
        world.write_row(settings, "item_attributes", world.ROW_AT, item_id=item, category_id=category, **more)
        world.write_row(settings, "item_windows", world.ROW_AT, item_id=item, orders_28d=5.0, first_seen_us=seen)
    world.write_row(settings, "item_windows", world.ROW_AT, item_id="c", orders_28d=1.0, first_seen_us=OLD)


def small_model() -> LightGbmRanker:
    """A model of all features; the sources' columns matter most."""
    matrix = matrix_of(600)
    gains = np.clip(np.round(matrix[:, -6:].sum(axis=1) / 10), 0, 4)
    parameters = {"objective": "lambdarank", "num_leaves": 15, "min_data_in_leaf": 5, "verbose": -1, "num_threads": 1}
    data = lightgbm.Dataset(matrix, gains, group=[60] * 10)
    booster = lightgbm.train({**parameters, "seed": 1}, data, 40)
    return LightGbmRanker(booster, FEATURES, vocabulary=world.VOCABULARY)


def ranker_of(names: tuple[str, ...]) -> BaselineRanker:
    return BaselineRanker("popularity", (("orders_28d", 1),), names)


def matrix_of(rows: int) -> np.ndarray:
    return world.matrix_of(rows, FEATURES, seed=6)


def register(settings: Settings, ranker: Ranker, sources: Sources = SOURCES, **contract: Any) -> str:
    """Make ``ranker`` the champion of /recommend. ``contract``: another one than that of the code."""
    store = ModelStore(settings, settings.recommend_name)
    run = store.client.create_run(store.experiment_id()).info.run_id
    rows = sample(ranker, matrix_of(100)) if ranker.feature_names == FEATURES else None
    with listed_kinds():
        of_code = recommend_contract("complete_journey", world.DECLARATION, sources)
    with tempfile.TemporaryDirectory() as folder, listed_kinds():
        sources.save(Path(folder))
        version = store.register(
            run, ranker, contract.get("contract", of_code), {"recall": "0.2"}, rows, {"sources": Path(folder)}
        )
    store.promote(version)
    return version


@contextmanager
def served(settings: Settings, clock: Clock | None = None) -> Iterator[TestClient]:
    """The app with its models loaded; ``clock``: else world.NOW for ever."""
    client = TestClient(create_app(settings, clock or FixedClock(world.NOW)))
    with listed_kinds():
        client.__enter__()
    try:
        yield client
    finally:
        client.__exit__(None, None, None)


def with_params(settings: Settings, folder: Path, **section: Any) -> Settings:
    """With another section ``recommend`` in params.yaml."""
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump({"recommend": section}))
    return settings.model_copy(update={"params_file": path})


@contextmanager
def shop(folder: Path, **changes: Any) -> Iterator[Settings]:
    """A filled Redis, an empty one for events, a baseline for /score and a model for /recommend, without rules."""
    made = with_params(world.settings_in(folder, **changes), folder)
    start(made)
    start(made, EVENTS)
    try:
        world.fill_store(made)
        write_shelf(made)
        world.register(made, world.constant_baseline())
        register(made, small_model())
        yield made
    finally:
        stop(made)
        stop(made, EVENTS)
