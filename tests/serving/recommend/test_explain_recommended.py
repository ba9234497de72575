from __future__ import annotations

import pytest

from tests.serving.recommend.test_recommender import ids, recommend

ASKED = {"user_id": "u", "session_id": "s", "k": 3}


def explain(client, **body):
    answer = client.post("/explain", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_items_of_the_answer_are_explained_and_the_sources_have_a_share(client):
    answer, explained = recommend(client, **ASKED), explain(client, recommend=ASKED)
    assert [each["item_id"] for each in explained["items"]] == ids(answer)
    assert [each["score"] for each in explained["items"]] == [each["score"] for each in answer["items"]]
    for each in explained["items"]:
        assert sum(each["by_source"].values()) + explained["base_score"] == pytest.approx(each["score"], abs=1e-9)
        assert each["by_source"]["candidates"] != 0
    values = {each["item_id"]: each["values"] for each in explained["items"]}
    shares = {each["item_id"]: each["sources"] for each in answer["items"]}
    for item, of_item in shares.items():
        listed = {share["name"]: share["rank"] for share in of_item}
        for name in ("own_history", "trending", "others"):
            expected = listed[name] - 1 if name in listed else None
            assert values[item][f"{name}_rank"] == expected


def test_two_candidates_are_compared_though_the_answer_holds_but_one(client):
    everything = ids(recommend(client, **{**ASKED, "k": 5}))
    found = explain(client, recommend={**ASKED, "k": 1}, pair=[everything[-1], everything[0]])
    assert len(found["items"]) == 1
    pair = found["pair"]
    assert (pair["above"], pair["below"]) == (everything[0], everything[-1])
    assert sum(each["difference"] for each in pair["reasons"]) == pytest.approx(pair["difference"], abs=1e-9)
    assert pair["difference"] > 0


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({"recommend": ASKED, "pair": ["a", "zz"]}, ["pair", 1]),
        ({"recommend": ASKED, "pair": ["a", "a"]}, ["pair"]),
        ({"recommend": {"k": 0}}, ["recommend", "k"]),
        ({"recommend": ASKED, "items": [{"item_id": "a"}]}, ["items"]),
        ({"recommend": {"context": {"shelf": "1"}}}, ["context", "shelf"]),
    ],
)
def test_a_bad_question_is_named(client, body, location):
    answer = client.post("/explain", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["loc"] == location
