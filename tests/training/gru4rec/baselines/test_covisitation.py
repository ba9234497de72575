"""Co-visitation worked out by hand."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest

from tests.training.gru4rec.session_arrays import sessions_of
from training.gru4rec.baselines.covisitation import Covisitation

# c(0, 1) = 2, c(1, 2) = 1, c(0, 2) = 1 / 2 + 1; occurrences 3, 2, 2, 0.
TRAIN = sessions_of([0, 1, 2], [0, 1], [0, 2])


def fitted(**settings):
    """A model that takes repeats as possible; TRAIN has none."""
    return replace(Covisitation.fit(TRAIN, 4, **settings), repeats=True)


def test_scores_sum_the_relatedness_to_the_sessions_items():
    scores = fitted(window=2, decay=0.5).scores(np.array([0, 1], dtype=np.int32))
    assert scores[0] == pytest.approx([0, 2 / sqrt(6), 1.5 / sqrt(6), 0], abs=1e-8)
    assert scores[1] == pytest.approx([2 / sqrt(6), 1 / sqrt(6), 0.75 / sqrt(6) + 1 / 2, 0], abs=1e-8)


def test_items_further_apart_than_the_window_are_not_related():
    scores = fitted(window=1).scores(np.array([0], dtype=np.int32))
    assert scores[0] == pytest.approx([0, 2 / sqrt(6), 1 / sqrt(6), 0], abs=1e-8)


def test_unrelated_items_are_ordered_by_popularity():
    scores = fitted().scores(np.array([3], dtype=np.int32))[0]
    assert scores[0] > scores[1] == scores[2] > scores[3] == 0


def test_the_last_item_is_ranked_last_if_train_has_no_repeats():
    session = np.array([0, 1], dtype=np.int32)
    plain, never = fitted().scores(session), Covisitation.fit(TRAIN, 4).scores(session)
    assert never[0] == pytest.approx([-1, *plain[0][1:]])
    assert never[1] == pytest.approx([plain[1][0], -1, *plain[1][2:]])
    assert Covisitation.fit(sessions_of([0, 1], [2, 2]), 4).scores(session).min() == 0
