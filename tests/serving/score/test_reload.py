"""A new champion replaces the old one between two requests, or is refused and the old one stays."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import lightgbm
import numpy as np
import pytest
from fastapi.testclient import TestClient

from infra.clock import FixedClock
from infra.models.model_store import ARTIFACT_PATH, ModelStore
from infra.models.ranker import MODEL_CARD, MODEL_FILE, LightGbmRanker
from infra.redis_server.server import endpoint, start, stop
from serving.api.app import create_app
from serving.features.feature_readers import FeatureReaders
from tests.serving import world
from tests.serving.api.test_api import BODY, score, scores

TIMEOUT_S = 60.0


@pytest.fixture
def settings(tmp_path):
    made = world.settings_in(tmp_path, reload_s=0.1)
    start(made)
    world.fill_store(made)
    world.register(made, world.small_model())
    yield made
    stop(made)


def other_model() -> LightGbmRanker:
    matrix = world.matrix_of(600)
    gains = np.clip(np.round(matrix[:, ::2].sum(axis=1) / 60), 0, 4)
    parameters = {"objective": "lambdarank", "num_leaves": 15, "min_data_in_leaf": 5, "verbose": -1, "num_threads": 1}
    data = lightgbm.Dataset(matrix, gains, group=[60] * 10)
    return LightGbmRanker(
        lightgbm.train({**parameters, "seed": 2}, data, 30), world.FEATURES, vocabulary=world.VOCABULARY
    )


def until(condition) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def version(client) -> str:
    return client.get("/model").json()["version"]


def metric(client, line: str) -> bool:
    return line in client.get("/metrics").text.splitlines()


def test_while_the_champion_changes_every_answer_is_of_one_model_and_says_whether_it_read_the_store(settings):
    """The store pauses, as on a busy machine: answers that could not wait have other scores, and a flag."""
    answers = []
    with TestClient(create_app(settings, FixedClock(world.NOW))) as client:
        first = scores(score(client))
        enough = threading.Event()

        def send():
            while not enough.is_set():
                answers.append(client.post("/score", json=BODY, headers={"X-Deadline-Ms": "100"}))

        def pause_the_store():
            with endpoint(settings).client(5) as redis:
                while not enough.wait(0.3):
                    redis.execute_command("CLIENT", "PAUSE", 200)

        def kinds():
            return {(each["model"]["version"], each["degraded"]) for each in (answer.json() for answer in answers)}

        threads = [threading.Thread(target=each) for each in (send, pause_the_store)]
        for thread in threads:
            thread.start()
        try:
            until(lambda: len(kinds()) == 2)
            world.register(settings, other_model())
            until(lambda: version(client) == "2")
            until(lambda: len(kinds()) == 4)
            ModelStore(settings).promote("1")
            until(lambda: version(client) == "1")
        finally:
            enough.set()
            for thread in threads:
                thread.join()
        assert metric(client, 'rerank_model{kind="lightgbm",name="ranker-complete_journey",version="1"} 1.0')
        assert metric(client, 'rerank_model{kind="lightgbm",name="ranker-complete_journey",version="2"} 0.0')
    assert {answer.status_code for answer in answers} == {200}
    found = {}
    for answer in answers:
        kind = (answer.json()["model"]["version"], answer.json()["degraded"])
        found.setdefault(kind, []).append(scores(answer))
    assert found.keys() == {("1", False), ("1", True), ("2", False), ("2", True)}
    assert [kind for kind, each in found.items() if any(other != each[0] for other in each)] == []
    assert found["1", False][0] == first
    assert len({str(each[0]) for each in found.values()}) == 4


def test_a_champion_of_another_contract_is_refused_and_the_old_one_stays(settings):
    with TestClient(create_app(settings, FixedClock(world.NOW))) as client:
        other = replace(world.contract(), versions={"history": 0})
        world.register(settings, other_model(), other)
        until(lambda: metric(client, "rerank_successor_refused 1.0"))
        assert version(client) == "1"
        assert score(client).status_code == 200
        ready = client.get("/readyz")
        assert ready.status_code == 200
        assert "history features" in ready.json()["checks"][0]["message"]
        ModelStore(settings).promote("1")
        until(lambda: metric(client, "rerank_successor_refused 0.0"))
        ModelStore(settings).promote("2")  # refused and reported again
        until(lambda: metric(client, "rerank_successor_refused 1.0"))
        world.register(settings, other_model())
        until(lambda: version(client) == "3")
        assert metric(client, "rerank_successor_refused 0.0")
        assert client.get("/readyz").json()["checks"][0]["message"] == "loaded"


def damage(settings, version: str) -> None:
    """Edit the model of a registered version so that LightGBM aborts, with a digest that fits."""
    store = ModelStore(settings)
    run = store.client.get_run(store.client.get_model_version(store.name, version).run_id)
    folder = Path(unquote(urlsplit(run.info.artifact_uri).path)) / ARTIFACT_PATH
    text = re.sub(r"tree_sizes=\d+", "tree_sizes=99999", (folder / MODEL_FILE).read_text())
    (folder / MODEL_FILE).write_text(text)
    card = json.loads((folder / MODEL_CARD).read_text())
    card["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / MODEL_CARD).write_text(json.dumps(card))


def test_a_champion_on_which_lightgbm_aborts_is_refused_once_and_the_old_one_stays(settings, monkeypatch):
    downloads = []
    load_version = ModelStore.load_version_with

    def counted(self, found, read):
        downloads.append(found.version)
        return load_version(self, found, read)

    monkeypatch.setattr(ModelStore, "load_version_with", counted)
    with TestClient(create_app(settings, FixedClock(world.NOW))) as client:
        second = world.register(settings, other_model(), promoted=False)
        damage(settings, second)
        ModelStore(settings).promote(second)
        until(lambda: metric(client, "rerank_successor_refused 1.0"))
        time.sleep(1)  # ten more looks at the registry
        message = client.get("/readyz").json()["checks"][0]["message"]
        assert f"version {second}" in message
        assert "was ended by SIG" in message
        assert version(client) == "1"
        assert score(client).status_code == 200
        assert [str(each) for each in downloads] == ["1", second]


def test_a_registry_that_fails_leaves_the_model_in_service(settings, monkeypatch):
    with TestClient(create_app(settings, FixedClock(world.NOW))) as client:

        def fail(self):
            raise OSError("the registry is away")

        monkeypatch.setattr(ModelStore, "champion", fail)
        until(lambda: "the registry is away" in client.get("/readyz").json()["checks"][0]["message"])
        assert version(client) == "1"
        assert score(client).status_code == 200
        monkeypatch.undo()
        until(lambda: client.get("/readyz").json()["checks"][0]["message"] == "loaded")


def test_the_compiled_trees_of_the_new_champion_score_from_its_first_answer(settings):
    with TestClient(create_app(settings, FixedClock(world.NOW))) as client:
        until(lambda: client.get("/model").json()["engine"]["name"] == "llvm")
        world.register(settings, other_model())
        engines = set()

        def seen():
            card = client.get("/model").json()
            engines.add((card["version"], card["engine"]["name"]))
            return card["version"] == "2"

        until(seen)
        assert engines == {("1", "llvm"), ("2", "llvm")}


def test_a_load_that_fails_is_tried_again(settings, monkeypatch):
    monkeypatch.setattr("serving.score.champion.RETRY_S", 0.1)
    real, failures = FeatureReaders.open, []

    async def failing(*arguments):
        if len(failures) < 2:
            failures.append(1)
            raise RuntimeError("the store cannot be opened")
        return await real(*arguments)

    monkeypatch.setattr(FeatureReaders, "open", failing)
    with TestClient(create_app(settings, FixedClock(world.NOW))) as client:
        until(lambda: score(client).status_code == 200)
    assert len(failures) == 2


def test_an_app_that_replaces_another_waits_for_its_model(settings, monkeypatch):
    monkeypatch.setattr("serving.score.champion.RETRY_S", 0.1)
    real, failures = ModelStore.champion, []

    def failing(self):
        if len(failures) < 3:
            failures.append(1)
            raise OSError("the registry is away")
        return real(self)

    monkeypatch.setattr(ModelStore, "champion", failing)
    with TestClient(create_app(settings, FixedClock(world.NOW), replaces=True)) as client:
        assert score(client).status_code == 200
    assert len(failures) == 3
