"""``/recommend`` over real HTTP, Redis and registry, with sources made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from fastapi.testclient import TestClient

from feature_repo.candidates.queries import queries_of_rows
from feature_repo.candidates.stage_two_features import recommend_matrix
from feature_repo.slate import Row
from infra.clock import FixedClock
from infra.models.model_store import ModelStore
from infra.redis_server.server import start, stop
from serving.api.app import create_app
from tests.serving import world
from tests.serving.recommend import shelf


def recommend(client, **body):
    answer = client.post("/recommend", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(answer):
    return [each["item_id"] for each in answer["items"]]


def test_the_candidates_of_all_sources_come_in_the_order_of_the_model(client, settings):
    answer = recommend(client, user_id="u", session_id="s", k=10)
    # own history: a, b; trending: d, a, e; others: c, d
    assert sorted(ids(answer)) == ["a", "b", "c", "d", "e"]
    scores = [each["score"] for each in answer["items"]]
    assert scores == sorted(scores, reverse=True)
    assert [each["rank"] for each in answer["items"]] == [1, 2, 3, 4, 5]
    assert (answer["candidates"], answer["degraded"], answer["missing"]["items"]) == (5, False, 0)


def test_each_item_tells_which_sources_list_it(client):
    found = {each["item_id"]: each for each in recommend(client, user_id="u")["items"]}
    assert [each["name"] for each in found["a"]["sources"]] == ["own_history", "trending"]
    assert [(each["name"], each["rank"]) for each in found["d"]["sources"]] == [("trending", 1), ("others", 2)]
    assert found["d"]["sources"][0]["score"] == 0.0
    assert not found["d"]["explored"]
