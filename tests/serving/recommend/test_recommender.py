"""``/recommend`` over real HTTP, Redis and registry, with sources made by hand."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from feature_repo.candidates.queries import queries_of_rows
from feature_repo.candidates.sources.own_history import OwnHistory
from feature_repo.candidates.stage_two_features import recommend_contract
from feature_repo.candidates.union import Sources
from feature_repo.model_features import model_features
from feature_repo.slate import Row
from infra.clock import ReplayClock
from infra.models.model_store import ModelStore
from infra.redis_server.server import start, stop
from serving.features.reading import StoreAway
from serving.recommend.candidate_slates import CandidateSlates
from serving.score_log.score_log import ScoreLog
from tests.serving import world
from tests.serving.recommend import shelf

OLD = Sources(shelf.CODES, (OwnHistory(60),), {"own_history": 5}, limit=5, known_at_us=0)
ACTIONS = ["add_to_cart", "order"]


def recommend(client, **body):
    answer = client.post("/recommend", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(answer):
    return [each["item_id"] for each in answer["items"]]


def app(settings, folder, **section):
    """Of the same shop under another policy, with a clock that runs."""
    clock = ReplayClock(world.NOW, time.time())
    return shelf.served(shelf.with_params(settings, folder, **section), clock)


@pytest.fixture
def logged(monkeypatch):
    """(record, matrix) of each slate that is scored from now on."""
    found = []
    monkeypatch.setattr(ScoreLog, "append", lambda self, record, matrix: found.append((record, matrix)))
    return found


# ------------------------------------------------------------------------------- candidates and scores


def test_the_candidates_of_all_sources_come_in_the_order_of_the_model(client):
    answer = recommend(client, user_id="u", session_id="s", k=5)
    # own history: a, b; trending: d, a, e; others: c, d
    assert sorted(ids(answer)) == ["a", "b", "c", "d", "e"]
    scores = [each["score"] for each in answer["items"]]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 1
    assert [each["rank"] for each in answer["items"]] == [1, 2, 3, 4, 5]
    assert (answer["candidates"], answer["degraded"]) == (5, False)
    assert answer["missing"] == {"items": 0, "user": False, "session": False}


def test_each_item_tells_which_sources_list_it(client):
    found = {each["item_id"]: each for each in recommend(client, user_id="u", k=5)["items"]}
    assert [each["name"] for each in found["a"]["sources"]] == ["own_history", "trending"]
    assert [(each["name"], each["rank"]) for each in found["d"]["sources"]] == [("trending", 1), ("others", 2)]
    assert (found["d"]["sources"][1]["score"], found["d"]["explored"], found["d"]["filled"]) == (-1.0, False, False)


def test_what_is_scored_is_the_matrix_of_score_and_what_the_sources_say(client, settings, logged):
    recommend(client, user_id="u", session_id="s", context={"store_id": "1"}, k=3)
    ((record, matrix),) = logged
    assert record.item_ids == ["a", "d", "c", "b", "e"]  # by the best rank in any source, then by source
    body = {"user_id": "u", "session_id": "s", "context": {"store_id": "1"}}
    assert client.post("/score", json={**body, "items": [{"item_id": i} for i in record.item_ids]}).status_code == 200
    own = len(model_features(world.DECLARATION))
    numbers = [world.FEATURES.index(name) for name in world.SENDABLE]  # the two models have other vocabularies
    np.testing.assert_array_equal(matrix[:, numbers], logged[1][1][:, numbers])
    categories = matrix[:, world.FEATURES.index("category_id")]
    assert (
        categories.tolist()
        == world.VOCABULARY.codes("category_id", ["fruit", "fruit", None, "bread", "fruit"]).tolist()
    )
    user = Row(world.ROWS["user_history"][0])
    queries = queries_of_rows(shelf.CODES, [record.scored_us], [user], [Row()], [{}])
    found = shelf.SOURCES.candidates(queries)
    assert queries.decode(found.items) == record.item_ids
    np.testing.assert_array_equal(matrix[:, own:], found.columns)
    ranker = ModelStore(settings, settings.recommend_name).load().ranker
    np.testing.assert_array_equal(ranker.score(matrix), record.scores)


def test_the_two_ways_to_ask_give_the_same_answer(client):
    body = recommend(client, user_id="u", session_id="s", context={"store_id": "7"}, k=4)
    answer = client.get("/recommend/u", params={"session_id": "s", "store_id": "7", "k": 4})
    assert answer.status_code == 200
    assert answer.json()["items"] == body["items"]
    assert answer.json()["request_id"] != body["request_id"]


def test_an_unknown_user_gets_what_is_for_everybody(client):
    answer = recommend(client, user_id="nobody", k=4)
    assert sorted(ids(answer)) == ["a", "c", "d", "e"]
    assert answer["missing"]["user"]
    assert ids(answer) == ids(recommend(client, k=4))


def test_fewer_than_k_are_filled_up_with_trending_items_in_their_order(client, logged):
    answer = recommend(client, user_id="nobody", k=9)
    assert ids(answer)[4:] == ["f", "b"]  # of d, a, e, f, b; there are no more
    assert [each["filled"] for each in answer["items"]] == [False] * 4 + [True] * 2
    assert answer["items"][5]["sources"] == []
    ((record, matrix),) = logged  # they are part of the slate, so that feedback on them joins it
    assert record.item_ids[4:] == ["f", "b"]
    assert np.isnan(matrix[4:, -6:]).all()


# --------------------------------------------------------------------------------------------- rules


def test_what_the_request_excludes_or_filters_is_not_in_the_answer(client):
    answer = recommend(client, user_id="u", k=2, exclude=["a", "unheard of"], filters={"category_id": ["fruit"]})
    assert sorted(ids(answer)) == ["d", "e"]
    assert answer["removed"] == {"excluded": 1, "filtered": 2}  # b and c are no fruit
    assert ids(recommend(client, user_id="u", filters={"max_price": 1.1})) == ["a"]
    assert sorted(ids(recommend(client, user_id="u", filters={"shop_id": ["s1"]}))) == ["d", "e", "f"]
    assert ids(recommend(client, user_id="u", filters={"brand": []})) == []


def test_the_rules_of_params_yaml_apply_and_are_counted(settings, tmp_path, logged):
    rules = [
        {"rule": "out_of_stock", "column": "is_private_brand"},
        {"rule": "seen_in_session", "actions": ACTIONS},
        {"rule": "already_bought", "days": 3},
    ]
    with app(settings, tmp_path, rules=rules) as client:
        answer = recommend(client, user_id="u", session_id="s", k=2)
        assert sorted(ids(answer)) == ["c", "d"]  # e is sold out, b is in the cart, a was bought two days ago
        removed = {"excluded": 0, "filtered": 0, "out_of_stock": 1, "seen_in_session": 1, "already_bought": 1}
        assert answer["removed"] == removed
        assert 'rerank_rules_total{rule="out_of_stock"} 1.0' in client.get("/metrics").text
    ((record, _),) = logged
    assert (record.kind, record.removed, record.answered) == ("recommend", removed, ids(answer))
    assert len(record.item_ids) == 5


def test_the_answer_reflects_what_the_session_just_did(settings, tmp_path):
    with app(settings, tmp_path, rules=[{"rule": "seen_in_session", "actions": ACTIONS}]) as client:
        asked = {"user_id": "u", "session_id": "just now", "k": 5}
        assert "d" in ids(recommend(client, **asked))
        event = {"event_id": "e1", "user_id": "u", "session_id": "just now", "action": "add_to_cart", "item_id": "d"}
        assert client.post("/events", json={"events": [event]}).status_code == 202
        answer = recommend(client, **asked)
        assert "d" not in ids(answer)
        assert answer["removed"]["seen_in_session"] == 1


def test_where_an_item_changed_after_the_user_was_read_it_is_asked_once_again(client, logged, monkeypatch):
    slate, made = CandidateSlates.slate, []

    async def changed_meanwhile(self, asker, candidates, deadline):
        found = await slate(self, asker, candidates, deadline)
        newer = {"item_attributes": np.full(len(found.slate), asker.scored_us + (1 if len(made) < 1 else 0))}
        made.append(replace(found, reading=replace(found.reading, event_us={**found.reading.event_us, **newer})))
        return made[-1]

    monkeypatch.setattr(CandidateSlates, "slate", changed_meanwhile)
    recommend(client, user_id="u", k=3)
    assert [each.is_behind for each in made] == [True, False]
    ((record, _),) = logged
    assert record.scored_us == made[-1].slate.scored_us


def test_new_items_are_drawn_flagged_and_logged_with_their_propensity(settings, tmp_path, logged):
    with app(settings, tmp_path, explore={"share": 0.2, "days": 7}) as client:
        answers = [recommend(client, user_id="u", k=5) for _ in range(12)]
        places = {ids(answer).index("n") for answer in answers}  # n alone is new, and one of five is drawn
        assert len(places) > 1
        (new,) = (each for each in answers[0]["items"] if each["explored"])
        assert (new["item_id"], new["sources"]) == ("n", [])
        assert {len(answer["items"]) for answer in answers} == {5}
        text = client.get("/metrics").text
        assert 'rerank_recommended_total{why="explored"} 12.0' in text
        assert 'rerank_recommended_total{why="ranked"} 48.0' in text
        assert "n" not in ids(recommend(client, user_id="u", k=5, exclude=["n"]))
    assert [record.explored for record, _ in logged] == [[("n", 1.0)]] * 13
    assert logged[0][0].item_ids[-1] == "n"
    assert np.isnan(logged[0][1][-1, -6:]).all()


# --------------------------------------------------------------------------- the store and the model


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """A shop that the tests may change."""
    with shelf.shop(tmp_path_factory.mktemp("mine")) as settings:
        yield settings


def test_an_item_that_comes_live_can_be_explored_before_any_source_knows_it(mine, tmp_path):
    start(mine)
    with app(mine, tmp_path, explore={"share": 0.5, "days": 1}) as client:
        assert not any(each["explored"] for each in recommend(client, user_id="u", k=4)["items"])
        world.write_row(mine, "item_attributes", world.ROW_AT, item_id="brand new", category_id="nuts", price=3.0)
        until = time.monotonic() + 30
        while not (found := [each for each in recommend(client, user_id="u", k=4)["items"] if each["explored"]]):
            assert time.monotonic() < until
            time.sleep(0.1)
    assert [each["item_id"] for each in found] == ["brand new"]


def test_without_the_store_the_answer_comes_from_memory_and_says_so(mine, logged):
    start(mine)
    with shelf.served(mine) as client:
        assert not recommend(client, user_id="u", k=4)["degraded"]
        stop(mine)
        answer = recommend(client, user_id="u", session_id="s", k=4)
        assert answer["degraded"]
        assert sorted(ids(answer)) == ["a", "c", "d", "e"]
        assert answer["missing"] == {"items": 4, "user": True, "session": True}
        until = time.monotonic() + 10  # cached rows serve until the connection is known to be lost
        while not (found := client.get("/similar/a").json())["degraded"]:
            assert time.monotonic() < until
        assert [each["item_id"] for each in found["items"]] == ["b", "d"]
    record, matrix = logged[-1]
    assert record.degraded
    own = len(model_features(world.DECLARATION))
    assert np.isnan(matrix[:, :20]).all()  # the columns of the items' views
    assert not np.isnan(matrix[:, own:]).all()


@pytest.mark.parametrize(
    ("reading", "k", "exclude", "listed", "filled"),
    [
        (2, 9, [], "acde", "fb"),  # 5 candidates, filled up; then there are 4 others, for everybody
        (2, 4, ["a", "d"], "ce", "fb"),
        (1, 5, [], "acde", "f"),
    ],
)
def test_an_answer_is_filled_up_where_the_store_goes_away_after_a_reading(
    client, monkeypatch, logged, reading, k, exclude, listed, filled
):
    slate, readings = CandidateSlates.slate, []

    class Away:
        async def items(self, *_):
            raise StoreAway("gone")

    async def gone(self, asker, candidates, deadline):
        readings.append(asker.entities is not None)
        reader = Away() if len(readings) == reading else self.reader
        return await slate(replace(self, reader=reader), asker, candidates, deadline)

    monkeypatch.setattr(CandidateSlates, "slate", gone)
    answer = recommend(client, user_id="u", k=k, exclude=exclude)
    assert answer["degraded"]
    assert readings == [True] * reading + [False]
    assert sorted(each["item_id"] for each in answer["items"] if not each["filled"]) == list(listed)
    assert [each["item_id"] for each in answer["items"] if each["filled"]] == list(filled)


def test_the_model_and_its_sources_are_shown(client, settings):
    card = client.get("/model").json()["recommend"]
    assert (card["name"], card["version"], card["kind"]) == ("recommend-complete_journey", "1", "lightgbm")
    assert card["sources"][1] == {"name": "trending", "candidates": 3}
    assert card["known_at"] == "2024-03-01T12:00:00.123457+00:00" or card["known_at"].startswith("2024-03-01T12:00:00")
    assert card["features"][-1] == {"name": "others_rank", "dtype": "float32", "source": "candidates"}
    checks = {each["name"]: each for each in client.get("/readyz").json()["checks"]}
    assert checks["recommend"] == {"name": "recommend", "ok": True, "message": "loaded"}
    text = client.get("/metrics").text
    assert 'rerank_model{kind="lightgbm",name="recommend-complete_journey",version="1"} 1.0' in text
    assert 'rerank_model{kind="baseline",name="ranker-complete_journey",version="1"} 1.0' in text


def test_both_models_read_by_the_same_readers(client, settings):
    readers = client.app.state.champion.readers
    assert readers.of(settings.recommend_name) is readers.of(settings.model_name) is not None


def test_a_model_whose_sources_are_of_another_version_is_refused_and_lists_are_scored(settings):
    contract = recommend_contract("complete_journey", world.DECLARATION, OLD)
    trained = replace(contract, versions={**contract.versions, "source_own_history": 0})
    store = ModelStore(settings, settings.recommend_name)
    version = shelf.register(settings, shelf.ranker_of(contract.feature_names), OLD, contract=trained)
    try:
        with shelf.served(settings) as client:
            answer = client.get("/recommend/u")
            assert answer.status_code == 503
            assert "source_own_history" in answer.text
            assert client.post("/score", json={"items": [{"item_id": "a"}]}).status_code == 200
    finally:
        store.promote("1")
    assert version != "1"


# ------------------------------------------------------------------------------------ bad requests

BAD = [
    ({"k": "0"}, ["query", "k"]),
    ({"k": "201"}, ["query", "k"]),
    ({"k": "five"}, ["query", "k"]),
    ({"kk": "5"}, ["query", "kk"]),
    ([("k", "1"), ("k", "1")], ["query", "k"]),
    ({"session_id": ""}, ["query", "session_id"]),
    ({"store_id": "x" * 201}, ["query", "store_id"]),
]


@pytest.mark.parametrize(("parameters", "location"), BAD)
def test_a_bad_parameter_is_named(client, parameters, location):
    answer = client.get("/recommend/u", params=parameters)
    assert answer.status_code == 422
    assert [each["loc"] for each in answer.json()["error"]["details"]] == [location]


@pytest.mark.parametrize("path", ["/recommend/", f"/recommend/{'x' * 201}", "/recommend/%00", "/similar/"])
def test_a_bad_id_is_named(client, path):
    answer = client.get(path)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["loc"][0] == "path"


def test_an_id_may_hold_slashes_and_is_no_label_of_a_metric(client):
    assert client.get("/recommend/a%2Fb/c", params={"k": 2}).status_code == 200
    refused = client.get("/recommend/secret", headers={"X-Deadline-Ms": "0"})
    assert refused.status_code == 422
    text = client.get("/metrics").text
    assert 'rerank_requests_total{path="/recommend/{user_id}",status="422"}' in text
    assert "secret" not in text


def test_a_bad_body_is_named(client):
    answer = client.post("/recommend", json={"k": 0, "context": {"shelf": "1"}, "filters": {"price": 1}})
    assert sorted(each["loc"] for each in answer.json()["error"]["details"]) == [["filters", "price"], ["k"]]
    answer = client.post("/recommend", json={"context": {"shelf": "1"}})
    assert answer.json()["error"]["details"][0]["loc"] == ["context", "shelf"]
