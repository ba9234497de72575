"""What a scorer does when there is no model, or one it must not use."""

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from feature_repo.contract import current_contract
from feature_repo.feast_objects import feast_objects
from feature_repo.store import open_store
from infra.clock import FixedClock
from infra.model_store import ModelStore
from infra.ranker import BaselineRanker
from infra.settings import Settings
from serving.app import create_app
from tests.small_log import DECLARATION, at

BODY = {"user_id": "u", "session_id": "s", "items": [{"item_id": "b"}, {"item_id": "a"}]}


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path, state_dir=tmp_path / "var", dataset="tiny", redis_url="redis://127.0.0.1:1/0")


def register(settings, contract) -> None:
    store = ModelStore(settings)
    run = store.client.create_run(store.experiment_id()).info.run_id
    ranker = BaselineRanker("input_order", (("input_position", -1),), contract.feature_names)
    store.promote(store.register(run, ranker, contract, {"baseline": "input_order"}))


def client(settings) -> TestClient:
    return TestClient(create_app(settings, FixedClock(at(5))))


def test_without_a_model_it_answers_that_there_is_none(settings):
    with client(settings) as http:
        assert http.get("/healthz").status_code == 200
        for answer in (http.get("/readyz"), http.post("/score", json=BODY), http.get("/model")):
            assert answer.status_code == 503
            assert "training.train" in answer.text


def test_a_baseline_is_served_and_says_so_even_without_redis(settings):
    register(settings, current_contract("tiny", DECLARATION))
    open_store(settings).apply(list(feast_objects(settings, DECLARATION)))
    with client(settings) as http:
        answer = http.post("/score", json=BODY).raise_for_status().json()
        assert answer["degraded"]
        assert answer["model"]["kind"] == "baseline"
        assert [item["item_id"] for item in answer["items"]] == ["b", "a"]
        assert answer["scored_at"] == "2024-03-06T00:00:00.000000Z"
        assert http.get("/model").json()["tags"]["baseline"] == "input_order"
        ready = http.get("/readyz")
        assert ready.status_code == 503
        checks = {check["name"]: check["ok"] for check in ready.json()["checks"]}
        assert checks == {"model": True, "contract": True, "feature_store": True, "redis": False}


def test_features_that_were_never_applied_make_it_not_ready(settings):
    register(settings, current_contract("tiny", DECLARATION))
    with client(settings) as http:
        for answer in (http.get("/readyz"), http.post("/score", json=BODY)):
            assert answer.status_code == 503
            assert "feast apply" in answer.text


def test_a_model_of_other_derived_features_is_refused_with_what_differs(settings):
    register(settings, replace(current_contract("tiny", DECLARATION), derived_version="another"))
    with client(settings) as http:
        for answer in (http.get("/readyz"), http.post("/score", json=BODY)):
            assert answer.status_code == 503
            assert "derived_version" in answer.text
            assert "another" in answer.text


def test_a_model_of_other_views_or_features_is_refused_by_name(settings):
    contract = current_contract("tiny", DECLARATION)
    dropped = contract.features[0].name
    register(settings, replace(contract, features=contract.features[1:], views={**contract.views, "user_windows": "x"}))
    with client(settings) as http:
        text = http.get("/readyz").text
        assert dropped in text
        assert "user_windows" in text
