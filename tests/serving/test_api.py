"""The API of a real scorer process over the sample of the default data set."""

import json

import pytest

from serving.app import MOST_BYTES
from serving.requests import MOST_ITEMS


@pytest.fixture(scope="module")
def client(journey):
    with journey.scorer() as client:
        yield client


@pytest.fixture
def body(journey):
    return journey.request_of(journey.last_slates(1)[0])


def items(*ids: str, **features) -> dict:
    return {"user_id": "u", "session_id": "s", "items": [{"item_id": i, **features} for i in ids]}


def post(client, content):
    raw = content if isinstance(content, bytes | str) else json.dumps(content)
    return client.post("/score", content=raw, headers={"content-type": "application/json"})


def test_every_item_comes_back_once_by_score(client, body):
    answer = post(client, body).raise_for_status().json()
    assert sorted(i["item_id"] for i in answer["items"]) == sorted(i["item_id"] for i in body["items"])
    scores = [item["score"] for item in answer["items"]]
    assert scores == sorted(scores, reverse=True)
    assert answer["missing"] == {"items": 0, "user": False, "session": answer["missing"]["session"]}


def test_unknown_users_sessions_and_items_are_scored_and_counted(client):
    answer = post(client, items("no-such-item", "nor-this")).raise_for_status().json()
    assert answer["missing"] == {"items": 2, "user": True, "session": True}
    assert not answer["degraded"]


def test_equal_scores_keep_the_callers_order(client):
    sent = {"features": dict.fromkeys(model_features(client), 0.0)}
    answer = post(client, items("z", "a", "m", **sent)).raise_for_status().json()
    assert [item["item_id"] for item in answer["items"]] == ["z", "a", "m"]
    assert len({item["score"] for item in answer["items"]}) == 1


def model_features(client) -> list[str]:
    return [feature["name"] for feature in client.get("/model").json()["features"]]


def test_a_feature_that_is_sent_wins_over_the_store(client, body):
    plain = {i["item_id"]: i["score"] for i in post(client, body).json()["items"]}
    for item in body["items"]:
        item["features"] |= {"bought_count": 50.0, "bought_share": 1.0}
    loved = {i["item_id"]: i["score"] for i in post(client, body).json()["items"]}
    assert loved != plain


def test_null_makes_a_feature_missing(client, body):
    for item in body["items"]:
        item["features"] = dict.fromkeys(model_features(client))
    answer = post(client, body).raise_for_status().json()
    assert len({item["score"] for item in answer["items"]}) == 1


REFUSED = {
    "empty list": (items(), "items"),
    "duplicate": (items("a", "b", "a"), "items"),
    "too many": (items(*(str(i) for i in range(MOST_ITEMS + 1))), "items"),
    "number as id": ({"user_id": 7, "session_id": "s", "items": [{"item_id": "a"}]}, "user_id"),
    "no user": ({"session_id": "s", "items": [{"item_id": "a"}]}, "user_id"),
    "no item id": ({"user_id": "u", "session_id": "s", "items": [{}]}, "item_id"),
    "empty id": (items(""), "item_id"),
    "unknown field": ({**items("a"), "colour": "red"}, "colour"),
    "unknown feature": (items("a", features={"shoe_size": 43.0}), "shoe_size"),
    "unknown context": ({**items("a"), "context": {"planet": "earth"}}, "planet"),
    "text as feature": (items("a", features={"price": "1"}), "price"),
    "boolean as feature": (items("a", features={"price": True}), "price"),
    "beyond float32": (items("a", features={"price": 1e39}), "price"),
    "NaN": ('{"user_id":"u","session_id":"s","items":[{"item_id":"a","features":{"price":NaN}}]}', "price"),
    "infinity": ('{"user_id":"u","session_id":"s","items":[{"item_id":"a","features":{"price":-Infinity}}]}', "price"),
    "overflow": ('{"user_id":"u","session_id":"s","items":[{"item_id":"a","features":{"price":1e999}}]}', "price"),
    "huge integer": (
        '{"user_id":"u","session_id":"s","items":[{"item_id":"a","features":{"price":' + "9" * 400 + "}}]}",
        "price",
    ),
    "lone surrogate": ('{"user_id":"\\ud800","session_id":"s","items":[{"item_id":"a"}]}', "user_id"),
    "not an object": ("[]", "body"),
    "not JSON": ("{", "body"),
}


@pytest.mark.parametrize(("content", "place"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_body_is_refused_with_its_place(client, content, place):
    answer = post(client, content)
    assert answer.status_code == 422
    assert place in json.dumps(answer.json()["error"]["details"])


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 100_000, b'{"user_id": "\xed\xa0\x80"}'])
def test_what_is_not_json_at_all_is_a_documented_refusal(client, content):
    answer = post(client, content)
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]["message"]


def test_a_duplicate_is_named_by_index(client):
    assert "items.2.item_id" in post(client, items("a", "b", "a")).text


def test_a_body_that_is_too_large_is_refused(client):
    assert post(client, b" " * (MOST_BYTES + 1)).status_code == 413


def test_the_largest_list_is_scored(client):
    answer = post(client, items(*(f"i{i}" for i in range(MOST_ITEMS))))
    assert len(answer.raise_for_status().json()["items"]) == MOST_ITEMS


def test_health_readiness_and_metrics_answer(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert {c["name"]: c["ok"] for c in client.get("/readyz").json()["checks"]} == {
        "model": True,
        "contract": True,
        "feature_store": True,
        "redis": True,
    }
    text = client.get("/metrics").text
    for name in ("rerank_stage_seconds_bucket", "rerank_missing_total", "rerank_degraded_total", "rerank_candidates"):
        assert name in text
    assert 'rerank_answers_total{path="/score",status="422"}' in text


def test_other_paths_and_methods_get_the_same_kind_of_error(client):
    assert client.get("/nowhere").json()["error"]["type"] == "http_error"
    assert client.get("/score").status_code == 405
