"""Against scikit-learn, and by hand where it has no word."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from training.buyers.buyer_metrics import area_under_curve, average_precision, recall_among_first

users = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=30).filter(
    lambda rows: len({label for _, label in rows}) == 2
)


@given(users)
def test_area_and_precision_are_those_of_scikit_learn(rows):
    scores, labels = np.array([s for s, _ in rows], float), np.array([label for _, label in rows], np.int8)
    assert area_under_curve(scores, labels) == pytest.approx(roc_auc_score(labels, scores))
    assert average_precision(scores, labels) == pytest.approx(average_precision_score(labels, scores))


SCORES, LABELS = np.array([9.0, 8.0, 7.0, 7.0, 7.0, np.nan]), np.array([1, 0, 1, 0, 1, 1], np.int8)


@pytest.mark.parametrize(
    ("n", "expected"),
    [(0, 0), (1, 1 / 4), (2, 1 / 4), (3, (1 + 2 / 3) / 4), (5, 3 / 4), (6, 1), (9, 1)],
)
def test_recall_among_the_first_takes_equal_scores_as_their_mean(n, expected):
    assert recall_among_first(SCORES, LABELS, n) == pytest.approx(expected)


def test_without_a_buyer_or_without_another_there_is_no_value():
    none, every = np.zeros(2, np.int8), np.ones(2, np.int8)
    for metric in (area_under_curve, average_precision):
        assert np.isnan(metric(np.array([1.0, 2.0]), none))
    assert np.isnan(area_under_curve(np.array([1.0, 2.0]), every))
    assert np.isnan(recall_among_first(np.array([1.0, 2.0]), none, 1))
