"""Integers are taken as ids in every body, as their decimal text."""

from __future__ import annotations

import json

import pytest

from feature_repo.datasets.declarations.built_in import COMPLETE_JOURNEY
from serving.events.event_schema import SentEvent, parse_events
from serving.events.item_schema import SentChange, parse_items
from serving.recommend.recommend_parser import parse_explain_recommend, parse_recommend
from serving.score.score_parser import parse_explain

EVENT = {
    "event_id": 0,
    "user_id": 900,
    "session_id": 41453103606,
    "item_id": 1095275,
    "action": "view",
    "request_id": 3,
}


def as_texts(found: object) -> object:
    if isinstance(found, dict):
        return {name: as_texts(value) for name, value in found.items()}
    if isinstance(found, list):
        return [as_texts(value) for value in found]
    return str(found) if isinstance(found, int) else found


def encoded(found: object) -> bytes:
    return json.dumps(found).encode()


def test_an_event_with_integers_is_the_event_with_their_texts() -> None:
    (event,) = parse_events(encoded({"events": [EVENT]}))
    assert event == parse_events(encoded({"events": [as_texts(EVENT)]}))[0]
    assert isinstance(event, SentEvent)
    assert (event.event_id, event.item_id, event.request_id) == ("0", "1095275", "3")


@pytest.mark.parametrize("value", [34.0, True, [7], ""])
def test_what_is_neither_text_nor_an_integer_is_no_id_of_an_event(value: object) -> None:
    (reason,) = parse_events(encoded({"events": [{**EVENT, "user_id": value}]}))
    assert isinstance(reason, str)
    assert "$.user_id" in reason


def test_a_change_of_an_item_with_integers_is_the_change_with_their_texts() -> None:
    change = {"item_id": 7, "change_id": 0, "category_id": 12}
    (found,) = parse_items(encoded({"items": [change]}), COMPLETE_JOURNEY)
    assert found == parse_items(encoded({"items": [as_texts(change)]}), COMPLETE_JOURNEY)[0]
    assert isinstance(found, SentChange)
    assert (found.change.change_id, found.change.item_id) == ("0", "7")
    assert found.change.values == {"category_id": "12"}


def test_a_request_for_recommendations_with_integers_is_the_one_with_their_texts() -> None:
    body = {"user_id": 900, "session_id": 5, "context": {"store_id": 330}, "exclude": [7], "filters": {"brand": [3]}}
    assert parse_recommend(encoded(body)) == parse_recommend(encoded(as_texts(body)))
    assert parse_recommend(encoded(body)).exclude == {"7"}
    asked = {"recommend": body, "pair": [1, "2"]}
    assert parse_explain_recommend(encoded(asked)) == parse_explain_recommend(encoded(as_texts(asked)))


def test_a_pair_of_integers_is_explained() -> None:
    request, pair = parse_explain(b'{"items":[{"item_id":7},{"item_id":8}],"pair":[8,7]}')
    assert (request.item_ids, pair) == (["7", "8"], ("8", "7"))
