"""Popularity is the number of occurrences in train."""

import numpy as np

from tests.training.gru4rec.session_arrays import sessions_of
from training.gru4rec.baselines.popularity import Popularity, tie_breaker

TRAIN = sessions_of([0, 1, 2], [0, 1], [0, 2])


def test_every_session_gets_the_same_counts():
    scores = Popularity.fit(TRAIN, 4).scores(np.array([3, 1], dtype=np.int32))
    assert scores.tolist() == [[3, 2, 2, 0], [3, 2, 2, 0]]


def test_the_tie_breaker_orders_by_popularity_and_stays_below_one():
    assert tie_breaker(TRAIN, 4).tolist() == [3 / 8, 2 / 8, 2 / 8, 0]
    assert tie_breaker(sessions_of([0, 0]), 1).tolist() == [2 / 3]
