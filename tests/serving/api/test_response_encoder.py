"""The JSON of an answer to ``/score``."""

import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from infra.limits import MAX_ITEMS, MAX_TEXT_LENGTH
from serving.api.response_encoder import encode_score
from serving.features.reading import Missing
from serving.score.answers import ModelName, ScoreAnswer
from serving.score.ranking import Ranking

SCORES = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-3, 3).map(float) | st.just(-0.0)


def encoded(ids: list[str], scores: list[float]) -> dict[str, object]:
    ranking = Ranking(ids, np.array(scores, np.float64))
    model = ModelName("m", "1", "lightgbm")
    answer = ScoreAnswer("1f", "2018-01-01T00:00:00.000000Z", model, ranking, True, Missing(1, False, True))
    return json.loads(encode_score(answer))


@given(st.dictionaries(st.text(min_size=1, max_size=5), SCORES, min_size=1, max_size=10))
def test_every_id_and_score_is_written_unchanged_best_first(items):
    found = encoded(list(items), list(items.values()))
    expected = sorted(items, key=lambda item: -items[item])
    assert [each["item_id"] for each in found["items"]] == expected
    assert [repr(each["score"]) for each in found["items"]] == [repr(items[item]) for item in expected]


def test_the_answer_has_its_documented_fields():
    found = encoded(["a"], [0.5])
    assert found == {
        "request_id": "1f",
        "scored_at": "2018-01-01T00:00:00.000000Z",
        "model": {"name": "m", "version": "1", "kind": "lightgbm"},
        "items": [{"item_id": "a", "score": 0.5}],
        "degraded": True,
        "missing": {"items": 1, "user": False, "session": True},
    }


def test_the_largest_list_of_the_longest_ids_is_written():
    ids = [f"{i:0{MAX_TEXT_LENGTH}d}" for i in range(MAX_ITEMS)]
    scores = [-math.pi * 10.0**-300 * (i + 1) for i in range(MAX_ITEMS)]
    assert [each["item_id"] for each in encoded(ids, scores)["items"]] == ids
