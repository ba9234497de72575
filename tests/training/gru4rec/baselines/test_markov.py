"""Transitions counted by hand."""

import numpy as np

from tests.training.gru4rec.session_arrays import sessions_of
from training.gru4rec.baselines.markov import Markov

# Transitions: 0 -> 1 twice, 0 -> 2 once, 1 -> 2 once. Events per item: 3, 2, 2, 0.
MODEL = Markov.fit(sessions_of([0, 1, 2], [0, 1], [0, 2]), 4)


def test_scores_are_the_counts_of_followers_then_popularity():
    scores = MODEL.scores(np.array([0, 1], dtype=np.int32))
    assert scores.tolist() == [[3 / 8, 2 + 2 / 8, 1 + 2 / 8, 0], [3 / 8, 2 / 8, 1 + 2 / 8, 0]]


def test_only_the_last_item_counts():
    after = [MODEL.scores(np.array(s, dtype=np.int32))[-1].tolist() for s in ([1], [0, 1], [2, 3, 1])]
    assert after[0] == after[1] == after[2]


def test_after_an_item_without_followers_scores_are_popularity():
    assert MODEL.scores(np.array([3], dtype=np.int32)).tolist() == [[3 / 8, 2 / 8, 2 / 8, 0]]
