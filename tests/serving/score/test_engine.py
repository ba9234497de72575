"""Which engine scores: LightGBM first, the compiled trees once they are there, with the same answers."""

from __future__ import annotations

import threading
import time

import pytest
from fastapi.testclient import TestClient

from infra.clock import FixedClock
from infra.models.trees.compiled_trees import Engine
from serving.api.app import create_app
from serving.errors import NotReady
from serving.score import champion
from tests.serving import world
from tests.serving.api.test_api import score, scores


def engine_of(client: TestClient, name: str, timeout_s: float = 60.0) -> dict[str, str]:
    """The engine in ``/model``, once it is ``name`` or the patience is over."""
    until = time.monotonic() + timeout_s
    while (found := client.get("/model").json()["engine"])["name"] != name and time.monotonic() < until:
        time.sleep(0.05)
    return found


def test_lightgbm_serves_until_the_trees_are_compiled_and_no_answer_changes(settings, monkeypatch):
    held, real = threading.Event(), champion.compiled

    def waiting(*arguments):
        held.wait(60)
        return real(*arguments)

    monkeypatch.setattr(champion, "compiled", waiting)
    with TestClient(create_app(settings, FixedClock(world.NOW))) as client:
        assert client.get("/model").json()["engine"] == {
            "name": "lightgbm",
            "reason": "the trees are not compiled yet",
        }
        assert 'rerank_engine{name="lightgbm"} 1.0' in client.get("/metrics").text
        before = scores(score(client))
        held.set()
        assert engine_of(client, "llvm")["name"] == "llvm"
        assert scores(score(client)) == before
        text = client.get("/metrics").text
        assert 'rerank_engine{name="llvm"} 1.0' in text
        assert 'rerank_engine{name="lightgbm"} 0.0' in text
    assert settings.compiled_dir.stat().st_mode & 0o777 == 0o700


def test_trees_that_are_not_accepted_leave_lightgbm_in_service_with_the_reason(settings, monkeypatch):
    monkeypatch.setattr(champion, "compiled", lambda ranker, *_: (ranker, Engine("lightgbm", "they differ")))
    with TestClient(create_app(settings, FixedClock(world.NOW))) as client:
        until = time.monotonic() + 20
        while client.get("/model").json()["engine"]["reason"] != "they differ" and time.monotonic() < until:
            time.sleep(0.05)
        assert client.get("/model").json()["engine"] == {"name": "lightgbm", "reason": "they differ"}
        assert 'rerank_engine{name="lightgbm"} 1.0' in client.get("/metrics").text
        assert len(scores(score(client))) == 4


@pytest.mark.parametrize("name", ["llvm", "lightgbm"])
def test_trees_that_are_ready_after_their_model_has_left_change_nothing(settings, monkeypatch, name):
    held = threading.Event()

    def waiting(ranker, *_):
        held.wait(60)
        return ranker, Engine(name, "late")

    monkeypatch.setattr(champion, "compiled", waiting)
    monkeypatch.setattr(champion, "CLOSE_TIMEOUT_S", 0.1)
    app = create_app(settings, FixedClock(world.NOW))
    with TestClient(app):
        pass
    followers = [thread for thread in threading.enumerate() if thread.name == "champion-follower"]
    assert followers
    held.set()
    for follower in followers:
        follower.join(10)
        assert not follower.is_alive()
    with pytest.raises(NotReady):
        app.state.champion.scorer()
