"""V-STAN worked out by hand on two train sessions, one day apart. All decays are exp(-1) per unit."""

from dataclasses import replace
from math import exp, log, sqrt

import numpy as np
import pytest

from tests.training.gru4rec.session_arrays import sessions_of
from training.gru4rec.baselines.vstan import VStan, VStanSettings

UNIT = VStanSettings(recency_days=1, recency_steps=1, match_steps=1, distance_steps=1, idf=0)
TRAIN = sessions_of([0, 1], [0, 2])


def scores_of(train, *session, **settings):
    """The scores of a model that takes repeats as possible; ``train`` has none."""
    model = replace(VStan.fit(train, 4, replace(UNIT, **settings)), repeats=True)
    return model.scores(np.array(session, dtype=np.int32))


def test_scores_after_one_item_weight_neighbours_by_age_and_items_by_distance():
    # Similarity: 1 / sqrt(1 * 2); for the older session times 1 / e.
    expected = [(exp(-1) + 1) / sqrt(2), exp(-2) / sqrt(2), exp(-1) / sqrt(2), 0]
    assert scores_of(TRAIN, 0)[0] == pytest.approx(expected)


def test_scores_after_two_items_weight_neighbours_by_the_latest_shared_item_too():
    old = (1 + exp(-1)) / sqrt(2 * 2) * exp(-1)  # shares 1, just seen, and 0, one step ago
    new = exp(-1) / sqrt(2 * 2) * exp(-1)  # shares 0: one step for the similarity, one for the match
    expected = [old * exp(-1) + new, old, new * exp(-1), 0]
    assert scores_of(TRAIN, 0, 1)[1] == pytest.approx(expected)


def test_rare_items_count_more():
    plain, weighted = scores_of(TRAIN, 0)[0], scores_of(TRAIN, 0, idf=1)[0]
    assert weighted == pytest.approx(plain * np.array([1, 1 + log(2), 1 + log(2), 1]))


@pytest.mark.parametrize("limit", [{"sample": 1}, {"neighbours": 1}])
def test_a_limit_of_one_session_takes_the_newer_and_more_similar_one(limit):
    assert scores_of(TRAIN, 0, **limit)[0] == pytest.approx([1 / sqrt(2), 0, exp(-1) / sqrt(2), 0])


def test_the_order_of_the_train_sessions_does_not_matter():
    other = sessions_of([0, 2], [0, 1], ended_days=[1, 0])
    assert scores_of(other, 0, 1) == pytest.approx(scores_of(TRAIN, 0, 1))


def test_the_last_position_of_a_repeated_item_counts():
    # In the neighbour the last position of item 0 is 2, so item 1 is one step away and item 3 two steps.
    found = scores_of(sessions_of([0, 1, 0, 2, 3]), 0)[0]
    similarity = 1 / sqrt(5)
    expected = [1 + exp(-2), exp(-1), exp(-1), exp(-2)]
    assert found == pytest.approx([similarity * e for e in expected])


def test_after_an_item_that_is_in_no_train_session_scores_are_popularity():
    found = scores_of(TRAIN, 3)[0]
    assert found[0] > found[1] == found[2] > found[3] == 0


def test_the_last_item_is_ranked_last_if_train_has_no_repeats():
    plain = scores_of(TRAIN, 0, 1)
    never = VStan.fit(TRAIN, 4, UNIT).scores(np.array([0, 1], dtype=np.int32))
    assert never[0] == pytest.approx([-1, *plain[0][1:]])
    assert never[1] == pytest.approx([plain[1][0], -1, *plain[1][2:]])
    assert VStan.fit(sessions_of([0, 1], [2, 2]), 4, UNIT).scores(np.array([0], dtype=np.int32)).min() == 0


def test_by_default_the_oldest_session_has_1_over_e_of_the_weight_of_the_newest():
    [first] = scores_of(sessions_of([0, 1], [0, 2], ended_days=[0, 40]), 0, recency_days=None)
    assert first[1] / first[2] == pytest.approx(exp(-1))
