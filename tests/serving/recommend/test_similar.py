"""``GET /similar/{item_id}``: in :mod:`tests.serving.recommend.shelf`, two sources know what is like a, one what is
like d, and none what is like f."""

from __future__ import annotations

import pytest

from tests.serving.recommend import shelf


def similar(client, item_id, **parameters):
    answer = client.get(f"/similar/{item_id}", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_sources_neighbours_are_merged_by_their_ranks(client):
    answer = similar(client, "a")  # trending says d, b; others says b
    assert [each["item_id"] for each in answer["items"]] == ["b", "d"]
    assert [each["score"] for each in answer["items"]] == pytest.approx([1 / 62 + 1 / 61, 1 / 61])
    assert answer["items"][0]["sources"] == [
        {"name": "trending", "score": -1.0, "rank": 2},
        {"name": "others", "score": 0.0, "rank": 1},
    ]
    assert (answer["fallback"], answer["degraded"], answer["model"]["name"]) == (
        False,
        False,
        "recommend-complete_journey",
    )


def test_k_cuts_the_list(client):
    assert [each["item_id"] for each in similar(client, "d", k=2)["items"]] == ["a", "e"]


@pytest.mark.parametrize("item_id", ["f", "n"])
def test_an_item_without_neighbours_gets_trending_items_of_its_category(client, item_id):
    answer = similar(client, item_id)
    assert answer["fallback"]
    assert [each["item_id"] for each in answer["items"]] == (["b"] if item_id == "f" else [])  # nobody sells nuts
    assert all(each["sources"] == [] for each in answer["items"])


def test_an_item_that_nobody_knows_is_not_found(client):
    answer = client.get("/similar/nobody")
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "unknown_item"
    assert similar(client, "q") == similar(client, "q") | {"items": [], "fallback": True}  # known to the sources


def test_rules_on_items_apply_and_those_on_users_do_not(settings, tmp_path):
    rules = [
        {"rule": "out_of_stock", "column": "is_private_brand"},
        {"rule": "blocked_categories", "categories": ["bread"]},
        {"rule": "already_bought", "days": 3},
    ]
    with shelf.served(shelf.with_params(settings, tmp_path, rules=rules)) as client:
        answer = similar(client, "d")
        assert [each["item_id"] for each in answer["items"]] == ["a", "q"]
        assert answer["removed"] == {"out_of_stock": 1, "blocked_categories": 0}
        assert [each["item_id"] for each in similar(client, "a")["items"]] == ["d"]


def test_a_bad_parameter_is_named(client):
    for parameters, name in (({"k": "0"}, "k"), ({"session_id": "s"}, "session_id")):
        answer = client.get("/similar/a", params=parameters)
        assert answer.status_code == 422
        assert answer.json()["error"]["details"][0]["loc"] == ["query", name]
