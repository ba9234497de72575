"""Pairs are counted within sessions, and merged."""

import numpy as np
import pytest

from tests.training.gru4rec.session_arrays import sessions_of
from training.gru4rec.baselines.item_pairs import ItemPairs, has_repeats, pairs_at_distance


def test_pairs_do_not_cross_sessions():
    sessions = sessions_of([0, 1, 2], [3], [4, 5])
    assert [p.tolist() for p in pairs_at_distance(sessions, 1)] == [[0, 1, 4], [1, 2, 5]]
    assert [p.tolist() for p in pairs_at_distance(sessions, 2)] == [[0], [2]]
    assert [p.tolist() for p in pairs_at_distance(sessions, 9)] == [[], []]


def test_the_weights_of_equal_pairs_are_summed_across_parts():
    parts = [
        (np.array([1, 1]), np.array([0, 2]), np.array([1.0, 2.0])),
        (np.array([1, 3]), np.array([2, 0]), np.array([0.5, 4.0])),
    ]
    pairs = ItemPairs.sum_of(iter(parts), 4)
    found = {item: [a.tolist() for a in pairs.of(item)] for item in range(4)}
    assert found == {0: [[], []], 1: [[0, 2], [1.0, 2.5]], 2: [[], []], 3: [[0], [4.0]]}


@pytest.mark.parametrize(
    ("sessions", "repeats"), [(([0, 1, 0], [0, 2]), False), (([0, 1], [1, 0]), False), (([0, 1], [2, 1, 1]), True)]
)
def test_a_repeat_is_the_same_item_twice_in_a_row_in_one_session(sessions, repeats):
    assert has_repeats(sessions_of(*sessions)) is repeats
