from __future__ import annotations

import asyncio
import json
import math
import random
import time
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.model_features import feature_matrix
from feature_repo.slate import Floats
from infra.clock import FixedClock
from infra.models.model_store import LoadedModel
from infra.models.vocabulary import MISSING, Vocabulary
from serving.errors import InvalidRequest
from serving.features.reading import StoreAway, unread
from serving.metrics import Metrics
from serving.score.ranking import Ranking, best_first
from serving.score.score_parser import parse
from serving.score.scorer import READ_SHARE, Scorer, new_request_id
from tests.serving.world import DECLARATION, FEATURES, NOW, VOCABULARY, contract, us


@dataclass
class RecordingRanker:
    """Scores by one feature and stores each matrix."""

    by: str = "input_position"
    kind: str = "lightgbm"
    feature_names: tuple[str, ...] = FEATURES
    vocabulary: Vocabulary = VOCABULARY
    matrices: list[Floats] = field(default_factory=list)

    def score(self, matrix):
        self.matrices.append(matrix.copy())
        return np.nan_to_num(matrix[:, FEATURES.index(self.by)].astype(np.float64))


class NoStore:
    """A store without rows, or one that is away."""

    def __init__(self, away=False):
        self.away = away
        self.calls = []

    async def read(self, keys, timeout_s):
        self.calls.append((keys, timeout_s))
        if self.away:
            raise StoreAway("gone")
        return unread(keys, DECLARATION)


def scorer(ranker=None, reader=None, on_scored=lambda *_: None):
    model = LoadedModel("ranker-x", "3", "lightgbm", contract(), ranker or RecordingRanker(), "run", {})
    return Scorer(model, DECLARATION, reader or NoStore(), FixedClock(NOW), Metrics(), on_scored)


def request(*items, **more):
    body = {"items": [{"item_id": i} if isinstance(i, str) else i for i in items], **more}
    return parse(json.dumps(body).encode())


def score_with(one, sent, deadline):
    scored = asyncio.run(one.score(sent, deadline))
    one.record(scored)
    return scored.answer


def soon():
    return time.monotonic() + 1


def test_items_are_ordered_by_score_highest_first():
    answer = score_with(scorer(), request("a", "b", "c"), soon())
    assert [(item.item_id, item.score) for item in answer.items.listed()] == [("c", 2.0), ("b", 1.0), ("a", 0.0)]


def test_equal_scores_keep_their_input_order():
    ranking = Ranking(["d", "a", "c", "b"], np.array([1.0, 2.0, 1.0, 2.0]))
    assert [item.item_id for item in ranking.listed()] == list("abdc")


@given(st.lists(st.integers(0, 40) | st.just(math.inf), min_size=1, max_size=60))
def test_best_first_orders_as_a_stable_sort_does(scores):
    found = best_first(np.array(scores, float))
    assert found.tolist() == sorted(range(len(scores)), key=lambda i: -scores[i])


def test_a_sent_feature_replaces_its_column_and_no_other():
    ranker = RecordingRanker("price")
    sent = {"item_id": "b", "features": {"price": 7.5, "bought_count": 2, "session_views": None}}
    answer = score_with(scorer(ranker), request("a", sent), soon())
    assert answer.items.listed()[0].item_id == "b"
    (matrix,) = ranker.matrices
    expected = feature_matrix(unread(scorer_keys("a", "b"), DECLARATION).slate, DECLARATION, VOCABULARY)
    expected[1, FEATURES.index("price")] = 7.5
    expected[1, FEATURES.index("bought_count")] = 2
    np.testing.assert_array_equal(matrix, expected)


def scorer_keys(*items):
    reader = NoStore()
    score_with(scorer(reader=reader), request(*items), soon())
    return reader.calls[0][0]


def test_facts_and_context_reach_the_matrix():
    ranker = RecordingRanker()
    sent = {"item_id": "a", "features": {"is_recommended": 1, "on_display": None}}
    score_with(scorer(ranker), request(sent, "b", context={"store_id": "330"}), soon())
    (matrix,) = ranker.matrices
    np.testing.assert_array_equal(matrix[:, FEATURES.index("is_recommended")], np.float32([1, np.nan]))
    assert np.isnan(matrix[:, FEATURES.index("on_display")]).all()
    assert (matrix[:, FEATURES.index("context_store_id")] == VOCABULARY.codes("context_store_id", ["330"])).all()


def test_a_category_is_not_sent_as_a_number():
    sent = {"item_id": "a", "features": {"category_id": 3}}
    with pytest.raises(InvalidRequest) as refused:
        score_with(scorer(), request(sent), soon())
    assert [problem.location for problem in refused.value.problems] == [("items", 0, "features", "category_id")]


def test_null_context_equals_context_that_is_not_sent():
    ranker = RecordingRanker()
    score_with(scorer(ranker), request("a", context={"store_id": None}), soon())
    assert ranker.matrices[0][0, FEATURES.index("context_store_id")] == MISSING


def test_a_request_reads_the_clock_once():
    class Counting:
        mode, read = "fixed", 0

        def now(self):
            self.read += 1
            return NOW

    clock, reader = Counting(), NoStore()
    model = LoadedModel("r", "1", "lightgbm", contract(), RecordingRanker(), "run", {})
    timestamps = []
    one = Scorer(model, DECLARATION, reader, clock, Metrics(), lambda record, _: timestamps.append(record.scored_us))
    answer = score_with(one, request("a"), soon())
    assert clock.read == 1
    assert reader.calls[0][0].scored_us == us(NOW) == timestamps[0]
    assert answer.scored_at == "2024-03-01T12:01:00.123464Z"


def test_the_record_of_a_scored_slate_is_complete():
    recorded = []
    one = scorer(on_scored=lambda record, matrix: recorded.append((record, matrix)))
    sent = {"item_id": "b", "features": {"price": 3}}
    answer = score_with(one, request("a", sent, user_id="u", session_id="s", context={"store_id": "7"}), soon())
    ((record, matrix),) = recorded
    assert record.request_id == answer.request_id
    assert (record.scored_us, record.clock, record.degraded) == (us(NOW), "fixed", False)
    assert (record.user_id, record.session_id, record.context) == ("u", "s", {"store_id": "7"})
    assert (record.item_ids, record.scores.tolist()) == (["a", "b"], [0.0, 1.0])  # in input order
    assert record.sent == [(1, {"price": 3})]
    assert (record.model_name, record.model_version) == ("ranker-x", "3")
    assert record.contract_hash == contract().contract_hash
    assert matrix[1, FEATURES.index("price")] == 3


def test_without_the_store_the_answer_is_degraded_and_everything_missing():
    answer = score_with(scorer(reader=NoStore(away=True)), request("a", "b", user_id="u"), soon())
    assert answer.degraded
    assert (answer.missing.items, answer.missing.user, answer.missing.session) == (2, True, True)
    assert [item.item_id for item in answer.items.listed()] == [
        "b",
        "a",
    ]  # the input position is known without the store


def test_the_store_may_use_a_share_of_the_time_that_is_left():
    reader = NoStore()
    score_with(scorer(reader=reader), request("a"), time.monotonic() + 2.0)
    assert 1.8 * READ_SHARE < reader.calls[0][1] <= 2.0 * READ_SHARE


@pytest.mark.parametrize(
    ("more", "position"),
    [
        ({"items": [{"item_id": "a", "features": {"prize": 1.0}}]}, ("items", 0, "features", "prize")),
        ({"items": [{"item_id": "a"}], "context": {"planet": "x"}}, ("context", "planet")),
    ],
)
def test_unknown_names_are_refused_before_anything_is_read(more, position):
    reader = NoStore()
    with pytest.raises(InvalidRequest) as refused:
        score_with(scorer(reader=reader), parse(json.dumps(more).encode()), soon())
    assert [problem.location for problem in refused.value.problems] == [position]
    assert not reader.calls


def test_missing_entities_and_degraded_answers_are_counted():
    one = scorer(reader=NoStore(away=True))
    score_with(one, request("a", "b"), soon())
    text = one.metrics.text().decode()
    assert 'rerank_missing_total{kind="item"} 2.0' in text
    assert 'rerank_missing_total{kind="user"} 1.0' in text
    assert "rerank_degraded_total 1.0" in text
    assert 'rerank_stage_seconds_count{stage="derive"} 1.0' in text


def test_request_ids_differ():
    one = scorer()
    assert score_with(one, request("a"), soon()).request_id != score_with(one, request("a"), soon()).request_id


def untempered(word):
    """The state word from which a Mersenne Twister made its output (Matsumoto and Nishimura 1998, section 2)."""
    word ^= word >> 18
    word ^= (word << 15) & 0xEFC60000
    found = word
    for _ in range(5):
        found = word ^ ((found << 7) & 0x9D2C5680)
    word = found & 0xFFFFFFFF
    return word ^ (word >> 11) ^ (word >> 22)


def predicted(ids):
    """The next id of a Mersenne Twister whose last 156 ids, its whole state, are known."""
    words = [int(each, 16) >> shift & 0xFFFFFFFF for each in ids for shift in (0, 32, 64, 96)]
    twister = random.Random()
    twister.setstate((3, (*(untempered(word) for word in words), 624), None))
    return f"{twister.getrandbits(128):032x}"


def test_the_next_request_id_cannot_be_worked_out_from_the_last_ones():
    weak = random.Random(7)
    assert predicted([f"{weak.getrandbits(128):032x}" for _ in range(156)]) == f"{weak.getrandbits(128):032x}"
    assert predicted([new_request_id() for _ in range(156)]) != new_request_id()
