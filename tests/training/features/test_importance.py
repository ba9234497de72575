"""Shuffling features of slates whose scores are one column, so that every loss is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.features.importance import (
    Permutation,
    Shuffling,
    between_slates,
    inside_slates,
    is_shared,
    losses,
    spared,
)
from training.training_set.ranking_data import RankingData

SLATES, ITEMS = 400, 8
NAMES = ("label", "noise", "user", "unread")
ONCE = Shuffling(repeats=1, seed=3, resamples=300)
RANDOM_ORDER = np.mean(1 / np.log2(np.arange(2, ITEMS + 2)))  # NDCG of one positive at a position drawn from all


def slates() -> RankingData:
    """One wanted item in each; ``label`` marks it, ``user`` is the same for all candidates of a slate."""
    random = np.random.default_rng(2)
    labels = np.zeros((SLATES, ITEMS), np.int64)
    labels[np.arange(SLATES), random.integers(ITEMS, size=SLATES)] = 1
    noise = random.normal(size=SLATES * ITEMS)
    user = np.repeat(random.choice([1.0, -1.0, np.nan], SLATES), ITEMS)
    matrix = np.column_stack([labels.ravel(), noise, user, noise]).astype(np.float32)
    sizes, ones = np.full(SLATES, ITEMS), np.ones(SLATES, np.int64)
    return RankingData(matrix, labels.ravel(), sizes, ones, NAMES, clusters=np.arange(SLATES) // 2)


DATA = slates()


def by_label(matrix):
    """The noise breaks ties, and weighs too little to do more."""
    return matrix[:, 0] + 1e-3 * matrix[:, 1]


def test_the_feature_that_is_the_label_has_all_and_noise_and_the_unread_have_nothing():
    found = losses(Permutation(DATA, by_label, ONCE), {name: (name,) for name in NAMES}, NAMES[:3])
    assert found["label"].mean == pytest.approx(1 - RANDOM_ORDER, abs=0.05)
    assert found["label"].low > 0.3
    assert (found["noise"].mean, found["noise"].low, found["noise"].high) == (0, 0, 0)
    assert found["unread"].mean == 0
    assert {loss.slates for loss in found.values()} == {SLATES}


def test_the_whole_is_the_metric_as_it_is():
    permutation = Permutation(DATA, by_label, ONCE)
    assert permutation.full.mean == 1
    assert permutation.users == SLATES // 2


def test_what_is_the_same_for_all_candidates_is_exchanged_between_slates():
    """Inside its slate it could not be shuffled at all. Its sign turns the order of the slate around."""

    known = DATA.only(~np.isnan(DATA.column("user")[DATA.starts]))
    permutation = Permutation(known, lambda matrix: matrix[:, 0] * matrix[:, 2] * known.column("user"), ONCE)
    assert permutation.full.mean == 1
    # With probability 1/2 the wanted item comes last of ITEMS, and first else.
    assert permutation.loss(["user"]).mean == pytest.approx(0.5 * (1 - 1 / np.log2(ITEMS + 1)), abs=0.06)
    assert [is_shared(DATA, name) for name in NAMES] == [False, False, True, False]


def test_rows_stay_in_their_slate_and_each_slate_gives_its_first_row_once():
    inside, between = inside_slates(DATA, 4), between_slates(DATA, 4)
    slate = np.arange(SLATES * ITEMS) // ITEMS
    assert (slate[inside] == slate).all()
    assert sorted(inside) == list(range(SLATES * ITEMS))
    assert (inside != np.arange(SLATES * ITEMS)).mean() > 0.7
    assert sorted(between[::ITEMS]) == list(range(0, SLATES * ITEMS, ITEMS))
    assert (between.reshape(SLATES, ITEMS) == between[::ITEMS, None]).all()


def test_features_that_are_shuffled_together_share_one_order():
    """Scores of the difference of two equal columns do not change when both move alike."""
    permutation = Permutation(DATA, lambda matrix: by_label(matrix) + 100 * (matrix[:, 1] - matrix[:, 3]), ONCE)
    assert permutation.loss(["noise"]).low > 0.3
    assert permutation.loss(["noise", "unread"]).mean == 0


def test_repeats_are_averaged_by_slate():
    permutation = Permutation(DATA, by_label, replace(ONCE, repeats=2))
    single = [Permutation(DATA, by_label, replace(ONCE, seed=seed)).loss(["label"]).mean for seed in (3, 4)]
    assert permutation.loss(["label"]).mean == pytest.approx(np.mean(single))
    assert single[0] != single[1]


def test_the_model_and_its_slates_are_left_as_they_were():
    before = DATA.matrix.copy()
    Permutation(DATA, by_label, ONCE).loss(NAMES)
    np.testing.assert_array_equal(DATA.matrix, before)


def test_slates_without_a_positive_are_not_judged():
    labels = DATA.labels.copy()
    labels[: 100 * ITEMS] = 0
    found = Permutation(replace(DATA, labels=labels), by_label, ONCE)
    assert found.full.slates == found.loss(["label"]).slates == SLATES - 100


def test_of_two_features_that_know_the_same_only_one_is_spared():
    """Each alone shows no loss, since the other one decides; both together are all there is."""
    twice = replace(DATA, matrix=DATA.matrix[:, [0, 0, 1]], feature_names=("label", "copy", "noise"))
    permutation = Permutation(twice, lambda matrix: np.maximum(matrix[:, 0], matrix[:, 1]) * 2 + matrix[:, 0], ONCE)
    names, loss = spared(permutation, ("noise", "copy", "label"))
    assert names == ("noise", "copy")
    assert loss.low <= 0
    assert spared(permutation, ("label",)) == ((), permutation.none)
