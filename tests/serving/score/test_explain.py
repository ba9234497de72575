"""Explanations of scores, over a real store and a real champion."""

from __future__ import annotations

import numpy as np
import pytest
from fastapi.testclient import TestClient

from infra.clock import FixedClock
from infra.redis_server.server import start, stop
from serving.api.app import create_app
from serving.score.explain import in_words
from tests.serving import world
from tests.serving.api.test_api import BODY, score, scores
from tests.serving.world import FEATURES, SENDABLE


def explain(client, **changes):
    return client.post("/explain", json={**BODY, **changes})


def test_contributions_sum_to_the_score_that_score_gives(client):
    found = explain(client).json()
    given = score(client).json()
    assert [item["item_id"] for item in found["items"]] == [item["item_id"] for item in given["items"]]
    for item, scored in zip(found["items"], given["items"], strict=True):
        assert item["score"] == scored["score"]
        assert list(item["contributions"]) == list(FEATURES) == list(item["values"])
        assert found["base_score"] + sum(item["contributions"].values()) == pytest.approx(item["score"], abs=1e-9)
        assert sum(item["by_source"].values()) == pytest.approx(sum(item["contributions"].values()), abs=1e-9)
    assert found["model"] == given["model"]
    assert found["missing"] == given["missing"]
    assert found["pair"] is None
    assert any(abs(item["contributions"]["price"]) > 0 for item in found["items"])


def test_sources_are_the_views_the_derived_features_the_context_and_the_request(client):
    sources = explain(client).json()["items"][0]["by_source"]
    floats = {view.name for view in world.VIEWS.values() if any(c.name in FEATURES for c in view.columns)}
    assert sources.keys() == floats | {"derived", "context", "request"}


def test_a_sent_feature_is_explained_with_its_sent_value(client):
    items = [{"item_id": "a", "features": {"price": 7.5, "bought_count": None}}, {"item_id": "b"}]
    values = {item["item_id"]: item["values"] for item in explain(client, items=items).json()["items"]}
    assert values["a"]["price"] == 7.5
    assert values["a"]["bought_count"] is None
    assert values["b"]["price"] == pytest.approx(2.2)


def test_categories_are_named_by_their_texts(client):
    found = explain(client, context={"store_id": "999"}, pair=["a", "b"]).json()
    values = {item["item_id"]: item["values"] for item in found["items"]}
    assert {name: each["category_id"] for name, each in values.items()} == {
        "a": "fruit", "b": "bread", "c": None, "z": None,
    }  # fmt: skip
    assert {each["context_store_id"] for each in values.values()} == {"rare or new"}
    (reason,) = [each for each in found["pair"]["reasons"] if each["feature"] == "category_id"]
    assert {reason["above"], reason["below"]} == {"fruit", "bread"}
    assert reason["difference"] != 0


def test_the_reasons_of_a_pair_sum_to_the_difference_of_their_scores(client):
    given = scores(score(client))
    first, *_, last = sorted(given, key=given.get, reverse=True)
    for pair in ([first, last], [last, first]):
        found = explain(client, pair=pair).json()["pair"]
        assert (found["above"], found["below"]) == (first, last)
        assert found["difference"] == given[first] - given[last]
        parts = [reason["difference"] for reason in found["reasons"]]
        assert sum(parts) == pytest.approx(found["difference"], abs=1e-9)
        assert [abs(part) for part in parts] == sorted((abs(part) for part in parts), reverse=True)
        assert {reason["feature"] for reason in found["reasons"]} == set(FEATURES)
        assert found["text"].startswith(f"{first} ranks above {last} by ")
        assert found["reasons"][0]["feature"] in found["text"]


def test_equal_scores_are_explained_by_the_callers_order(client):
    same = {"features": dict.fromkeys(SENDABLE, 0.5)}
    found = explain(client, items=[{"item_id": name, **same} for name in "zax"], pair=["x", "z"]).json()["pair"]
    assert (found["above"], found["below"], found["difference"]) == ("z", "x", 0.0)
    assert "same score" in found["text"]


def test_the_sentence_names_values_and_unknown_ones():
    def reason(feature, above, below, difference):
        return {"feature": feature, "above": above, "below": below, "difference": difference}

    reasons = [reason("price", 1.0, np.nan, 0.5)] + [reason(f"f{i}", 1, 1, 0.0) for i in range(5)]
    assert in_words("a", "b", 0.25, [reason("brand", "own", None, 0.25)]) == (
        "a ranks above b by 0.25: brand own against unknown (+0.25); all other features +0."
    )
    assert in_words("a", "b", 0.625, [*reasons, reason("late", 1, 2, 0.125)]) == (
        "a ranks above b by 0.625: price 1 against unknown (+0.5); all other features +0.125."
    )


@pytest.mark.parametrize(
    ("pair", "loc"),
    [
        (["a", "nobody"], ["pair", 1]),
        (["a", "a"], ["pair"]),
        (["a"], ["pair"]),
        ("ab", ["pair"]),
        ([1, "a"], ["pair", 0]),
    ],
)
def test_a_bad_pair_is_refused_with_its_location(client, pair, loc):
    answer = explain(client, pair=pair)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["loc"][: len(loc)] == loc


def test_explaining_a_baseline_is_refused(tmp_path):
    settings = world.settings_in(tmp_path)
    start(settings)
    try:
        world.fill_store(settings)
        world.register(settings, world.constant_baseline())
        with TestClient(create_app(settings, FixedClock(world.NOW))) as client:
            answer = explain(client)
    finally:
        stop(settings)
    assert answer.status_code == 409
    assert answer.json()["error"]["type"] == "not_explainable"
    assert "popularity" in answer.json()["error"]["message"]
