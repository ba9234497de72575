"""Which engine scores: the compiled trees from the first answer on, or LightGBM with the reason."""

from __future__ import annotations

import threading

import pytest
from fastapi.testclient import TestClient

from infra.clock import FixedClock
from infra.models import ranker
from infra.models.trees.compiled_trees import Engine
from infra.models.trees.forest import DamagedTrees
from serving.api import app as app_module
from serving.api.app import create_app
from serving.errors import NotReady
from serving.score import champion, registered_model
from tests.serving import world
from tests.serving.api.test_api import score, scores

LIGHTGBM = Engine("lightgbm", "they differ")


def refuse(_):
    raise DamagedTrees("tree 0 is damaged")


def test_the_compiled_trees_score_from_the_first_answer_on(settings):
    with TestClient(create_app(settings, FixedClock(world.NOW))) as client:
        assert client.get("/model").json()["engine"] == {
            "name": "llvm",
            "reason": "equal to LightGBM on the model's test rows",
        }
        text = client.get("/metrics").text
        assert 'rerank_engine{name="llvm"} 1.0' in text
        assert 'rerank_engine{name="lightgbm"} 0.0' in text


def test_without_accepted_trees_lightgbm_scores_and_the_reason_is_shown(settings, monkeypatch):
    monkeypatch.setattr(registered_model, "compiled", lambda ranker, _: (ranker, LIGHTGBM))
    with TestClient(create_app(settings, FixedClock(world.NOW))) as client:
        assert client.get("/model").json()["engine"] == {"name": "lightgbm", "reason": "they differ"}
        assert 'rerank_engine{name="lightgbm"} 1.0' in client.get("/metrics").text
        assert len(scores(score(client))) == 4


def test_both_engines_give_the_same_answer(settings, monkeypatch):
    answers = []
    for replacement in (registered_model.compiled, lambda ranker, _: (ranker, LIGHTGBM)):
        monkeypatch.setattr(registered_model, "compiled", replacement)
        with TestClient(create_app(settings, FixedClock(world.NOW))) as client:
            answers.append((client.get("/model").json()["engine"]["name"], scores(score(client))))
    (first, compiled), (second, plain) = answers
    assert (first, second) == ("llvm", "lightgbm")
    assert compiled == plain


def test_the_trees_are_compiled_off_the_event_loop(settings, monkeypatch):
    threads = []

    def noted(ranker, rows):
        threads.append(threading.current_thread().name)
        return ranker, LIGHTGBM

    monkeypatch.setattr(registered_model, "compiled", noted)
    with TestClient(create_app(settings, FixedClock(world.NOW))):
        assert threads == ["champion-follower"]


def test_a_service_that_is_closed_while_it_compiles_puts_no_model_in_service(settings, monkeypatch):
    started, held = threading.Event(), threading.Event()

    def waiting(ranker, _):
        started.set()
        held.wait(60)
        return ranker, LIGHTGBM

    monkeypatch.setattr(registered_model, "compiled", waiting)
    monkeypatch.setattr(champion, "CLOSE_TIMEOUT_S", 0.1)
    monkeypatch.setattr(app_module, "START_TIMEOUT_S", 0.1)
    app, others = create_app(settings, FixedClock(world.NOW)), set(threading.enumerate())
    with TestClient(app):
        assert started.wait(60)
    followers = [each for each in threading.enumerate() if each.name == "champion-follower" and each not in others]
    assert followers
    held.set()
    for follower in followers:
        follower.join(10)
        assert not follower.is_alive()
    with pytest.raises(NotReady):
        app.state.champion.scorer()


def test_a_champion_with_damaged_trees_is_refused_with_a_sentence(settings, monkeypatch):
    monkeypatch.setattr(ranker, "read_forest", refuse)
    with TestClient(create_app(settings, FixedClock(world.NOW))) as client:
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert "model.txt is not a LightGBM model: tree 0 is damaged" in answer.text
