"""A small shop that serves for some days, with real Redis servers, the real app, events, drains, builds and
materializations. Its clock runs and can be moved forward.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lightgbm
import numpy as np
import pytest
from fastapi.testclient import TestClient

from feature_repo.apply import apply
from feature_repo.build.__main__ import build
from feature_repo.candidates.stage_two_features import recommend_contract, recommend_features
from feature_repo.contract import current_contract
from feature_repo.live.__main__ import drain_once
from feature_repo.materialize import materialize
from feature_repo.model_features import model_features
from feature_repo.schema import Column, Declaration, DType
from infra.models.model_store import ModelStore
from infra.models.ranker import LightGbmRanker
from infra.models.vocabulary import Vocabulary
from infra.params import read_params
from infra.redis_server.server import EVENTS, FEATURES, start, stop
from infra.settings import Settings
from serving.api.app import create_app
from tests.small_log import at, event, impression, item, write_log
from training.candidates.fit import fit_sources

FLAG = Column("is_recommended", DType.FLOAT32, "1 if recommended", "flag", True, 0, 1)
DECLARATION = Declaration(
    name="tiny",
    title="A shop made by hand",
    facts=(FLAG,),
    context=(Column("store_id", DType.STRING, "store", nullable=True),),
)
FEATURES_OF_MODEL = tuple(feature.name for feature in model_features(DECLARATION))
VOCABULARY = Vocabulary(
    {"category_id": ("c1", "c3", "c8"), "brand": ("own",), "shop_id": (), "context_store_id": ("0", "2")}
)
SENDABLE = tuple(name for name in FEATURES_OF_MODEL if name not in VOCABULARY.texts)
ITEMS = [f"i{number:02d}" for number in range(40)]
USERS = [f"u{number}" for number in range(8)]
LOG_DAYS = 20
OPENING = at(LOG_DAYS, 12 * 3600)  # the end of the imported log
SOURCES = ("own_history", "covisitation", "trending")
ACTIONS = ("view", "add_to_cart", "add_to_cart", "remove_from_cart", "like", "order")


@dataclass
class MovedClock:
    """A clock that runs from ``base``, which can be moved forward."""

    base: datetime
    mode: str = "replay"
    since: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        return self.base + timedelta(seconds=time.monotonic() - self.since)

    def at(self, machine_us: int) -> datetime:
        """Redis runs on this machine, so its time is now."""
        return self.now()

    def move_to(self, timestamp: datetime) -> None:
        """Never moves back."""
        self.base, self.since = max(timestamp, self.now()), time.monotonic()

    def move_on(self, seconds: float) -> None:
        self.move_to(self.now() + timedelta(seconds=seconds))


@dataclass
class LiveShop:
    """``client``: of the app. ``rng``: chooses events and requests."""

    settings: Settings
    clock: MovedClock
    rng: np.random.Generator
    client: TestClient = field(init=False)
    requests: list[str] = field(default_factory=list)
    recommended: list[str] = field(default_factory=list)  # those of them that were to /recommend
    events: int = 0

    def serve(self, requests: int, seconds: float = 300, changes: float = 0.0) -> None:
        """Events and requests in random order, ``seconds`` apart on average. ``changes``: how often items change."""
        for _ in range(requests):
            self.clock.move_on(float(self.rng.exponential(seconds)))
            if self.rng.random() < changes:
                self.change_items(int(self.rng.integers(1, 4)))
            if self.rng.random() < 0.5:
                self.send_events(int(self.rng.integers(1, 5)))
            self.score() if self.rng.random() < 0.7 else self.recommend()

    def recommend(self, **changes: Any) -> dict[str, Any]:
        body = {
            **self._visit(),
            "context": {"store_id": str(self.rng.integers(3))},
            "k": int(self.rng.integers(1, 45)),
            **changes,
        }
        answer = self.client.post("/recommend", json=body)
        assert answer.status_code == 200, answer.text
        self.requests.append(answer.json()["request_id"])
        self.recommended.append(answer.json()["request_id"])
        found: dict[str, Any] = answer.json()
        return found

    def send_events(self, count: int) -> None:
        visit = self._visit()
        sent = [{**visit, "event_id": f"live{self.events + i}", **self._action()} for i in range(count)]
        self.events += count
        answer = self.client.post("/events", json={"events": sent})
        assert answer.status_code == 202, answer.text
        assert answer.json()["accepted"] == count, answer.text

    def change_items(self, count: int) -> None:
        """Some attributes of random items, one of them new in a tenth of all changes."""
        changes = [{"item_id": str(self.rng.choice(ITEMS[:12])), **self._change()} for _ in range(count)]
        if self.rng.random() < 0.1:
            changes[0]["item_id"] = "unknown"
        answer = self.client.post("/items", json={"items": changes})
        assert answer.status_code == 202, answer.text
        assert answer.json()["accepted"] == count, answer.text

    def score(self, **changes: Any) -> dict[str, Any]:
        candidates = [*self.rng.permutation([*ITEMS, "unknown"])[: self.rng.integers(2, 25)]]
        body = {
            **self._visit(),
            "context": {"store_id": str(self.rng.integers(3))},
            "items": [self._candidate(str(item_id)) for item_id in candidates],
            **changes,
        }
        answer = self.client.post("/score", json=body)
        assert answer.status_code == 200, answer.text
        self.requests.append(answer.json()["request_id"])
        found: dict[str, Any] = answer.json()
        return found

    def build(self) -> None:
        """Write all accepted events to the log, and build the feature tables."""
        drain_once(self.settings)
        build(self.settings)

    def materialize(self, requests: int = 0) -> None:
        """``requests``: number of requests to serve during the run, which then takes a second or two."""
        with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as pool:
            if requests:
                patch.setenv("RERANK_MATERIALIZE_ROWS_PER_S", "100")
            run = pool.submit(materialize, self.settings, self.clock)
            for _ in range(requests):
                time.sleep(0.03)
                self.score()
            run.result()

    def open(self) -> None:
        """Start the app."""
        self.client = TestClient(create_app(self.settings, self.clock))
        self.client.__enter__()

    def close(self) -> None:
        """Stop the app, so that its whole log is on disk, and drain the events."""
        self.client.__exit__(None, None, None)
        drain_once(self.settings)

    def _visit(self) -> dict[str, Any]:
        user = str(self.rng.choice([*USERS, "nobody"]))
        return {"user_id": user, "session_id": f"{user}-{self.clock.now():%d%H}"}

    def _action(self) -> dict[str, Any]:
        if self.rng.random() < 0.1:
            return {"action": str(self.rng.choice(("search", "visit", "clear_cart", "order")))}
        item_id, quantity = str(self.rng.choice(ITEMS[:12])), int(self.rng.integers(1, 4))
        return {"action": str(self.rng.choice(ACTIONS)), "item_id": item_id, "quantity": quantity}

    def _change(self) -> dict[str, Any]:
        price = round(float(self.rng.uniform(1, 9)), 2)
        some: list[dict[str, Any]] = [
            {"price": price},
            {"price": price, "old_price": price + 1},
            {"price": None, "in_stock": 0},
            {"in_stock": True, "category_id": f"c{self.rng.integers(9)}"},
        ]
        return some[self.rng.integers(len(some))]

    def _candidate(self, item_id: str) -> dict[str, Any]:
        sent: dict[str, float | None] = {}
        if self.rng.random() < 0.3:
            sent["is_recommended"] = float(self.rng.integers(2))
        if self.rng.random() < 0.1:
            name = str(self.rng.choice(SENDABLE))
            sent[name] = [None, 0.1, 1.0 if name == FLAG.name else 7.0][self.rng.integers(3)]
        return {"item_id": item_id, "features": sent} if sent else {"item_id": item_id}


@contextmanager
def live_shop(folder: Any, seed: int = 1, **changes: Any) -> Iterator[LiveShop]:
    """The shop at OPENING, with its log imported, built and materialized and its model promoted. Logs every matrix."""
    settings = Settings(
        _env_file=None,
        data_dir=folder / "data",
        state_dir=folder / "var",
        dataset="tiny",
        threads=1,
        redis_timeout_s=2,
        score_log_matrix_share=1.0,
        self_check_share=0.0,
        **changes,
    )
    rng = np.random.default_rng(seed)
    clock = MovedClock(OPENING)
    _write_log(settings, rng)
    try:
        for role in (FEATURES, EVENTS):
            start(settings, role)
        build(settings)
        apply(settings)
        materialize(settings, clock)
        with TemporaryDirectory() as sources:
            _promote(settings, Path(sources))
        clock.move_on(1)
        yield LiveShop(settings, clock, rng)
    finally:
        for role in (FEATURES, EVENTS):
            stop(settings, role)


def _write_log(settings: Settings, rng: np.random.Generator) -> None:
    items = [
        item(
            name,
            price=round(float(rng.uniform(1, 9)), 2),
            category_id=f"c{i % 5}",
            brand=("own", "other", None)[i % 3],
            shop_id="s",
        )
        for i, name in enumerate(ITEMS)
    ]
    items[3] |= {"price": None, "category_id": None}
    steps = [step for number in range(400) for step in _visit(number, rng)]
    events = [event(i, **step) for i, step in enumerate(steps)]
    shown = [impression("1", i, OPENING, name, store_id="0") for i, name in enumerate(ITEMS[:3])]
    write_log(settings.log_dir, items=items, events=events, impressions=shown, declaration=DECLARATION)


def _visit(number: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """One session of the log: a view, then a basket that is ordered at once."""
    start = at(0, int(rng.integers(3600, LOG_DAYS * 86400 + 11 * 3600)))
    about = {"user_id": str(rng.choice(USERS)), "session_id": f"old{number}", "category_id": "c1"}
    basket = [str(name) for name in rng.choice(ITEMS[:12], 3, replace=False)]
    steps = [("view", str(rng.choice(ITEMS))), ("add_to_cart", basket[0]), *(("order", name) for name in basket)]
    return [
        {"when": start + timedelta(seconds=i), "action": action, "item_id": item_id, "value": 2.0, **about}
        for i, (action, item_id) in enumerate(steps)
    ]


def _promote(settings: Settings, folder: Path) -> None:
    """The ranker, and a recommender whose sources know the imported log."""
    store = ModelStore(settings)
    run = store.client.create_run(store.experiment_id()).info.run_id
    store.promote(store.register(run, _ranker(FEATURES_OF_MODEL), current_contract("tiny", DECLARATION), {}))
    params = read_params(settings)["recommend"]["sources"]
    few = {name: {**params[name], "candidates": 12} for name in SOURCES}
    sources = fit_sources(settings, {"candidates": 25, "sources": few}, OPENING)
    sources.save(folder)
    names = tuple(feature.name for feature in recommend_features(DECLARATION, sources))
    store = ModelStore(settings, settings.recommend_name)
    contract = recommend_contract("tiny", DECLARATION, sources)
    run = store.client.create_run(store.experiment_id()).info.run_id
    store.promote(store.register(run, _ranker(names), contract, {}, folders={"sources": folder}))


def _ranker(names: tuple[str, ...]) -> LightGbmRanker:
    rng = np.random.default_rng(5)
    matrix = rng.normal(size=(300, len(names))).astype(np.float32) * 10
    categories = [names.index(name) for name in VOCABULARY.texts]
    matrix[:, categories] = rng.integers(0, 5, (300, len(categories)))
    parameters = {"objective": "lambdarank", "min_data_in_leaf": 5, "verbose": -1, "num_threads": 1, "seed": 1}
    gains = np.clip(np.round(matrix.sum(axis=1) / 60), 0, 4)
    data = lightgbm.Dataset(matrix, gains, group=[60] * 5, categorical_feature=categories)
    return LightGbmRanker(lightgbm.train(parameters, data, 20), names, vocabulary=VOCABULARY)


def days(number: float) -> datetime:
    return at(LOG_DAYS + number)
