"""TIFU-KNN of a few baskets, by hand and by loops."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from training.recommend.compare.tifu_knn import TifuKnn


def test_a_basket_counts_less_the_older_it_is_in_its_group_and_a_group_the_older_it_is():
    model = TifuKnn(groups=2, within=0.5, between=0.1)
    # four baskets, two groups of two: items 0, 1, 2 and 3, the oldest first
    found = model.vectors(np.zeros(4, int), np.arange(4), np.arange(4)).toarray()[0]
    assert found == pytest.approx([0.5 * 0.1 / 4, 0.1 / 4, 0.5 / 4, 1 / 4])


def test_an_item_counts_once_per_basket():
    model = TifuKnn(groups=1)
    found = model.vectors(np.zeros(3, int), np.zeros(3, int), np.array([0, 0, 1])).toarray()[0]
    assert found == pytest.approx([1, 1])


def test_the_nearest_others_are_mixed_in():
    model = TifuKnn(groups=1, within=1.0, neighbours=1, own=0.9)
    # users 0 and 1 share item 0, user 2 shares nothing with them
    vectors = model.vectors(np.array([0, 1, 1, 2, 2]), np.zeros(5, int), np.array([0, 0, 1, 2, 3]))
    items, scores = model.best(vectors, np.array([0]), 3)
    assert items[0].tolist() == [0, 1, 2]
    assert scores[0] == pytest.approx([1.0, 0.1, 0.0])


def test_a_single_user_has_no_neighbour():
    model = TifuKnn(groups=1)
    items, scores = model.best(model.vectors(np.array([0]), np.array([0]), np.array([1])), np.array([0]), 5)
    assert items[0].tolist() == [1, 0]
    assert scores[0].tolist() == [1.0, 0.0]


def test_scores_equal_those_of_loops():
    rng = random.Random(3)
    model = TifuKnn(groups=3, within=0.8, between=0.6, neighbours=4, own=0.7)
    baskets = [[rng.sample(range(12), rng.randint(1, 5)) for _ in range(rng.randint(1, 9))] for _ in range(20)]
    orders = [(u, b, i) for u, own in enumerate(baskets) for b, items in enumerate(own) for i in items]
    vectors = model.vectors(*(np.array(column) for column in zip(*orders, strict=True)))
    expected = []
    for own in baskets:
        size = math.ceil(len(own) / 3)
        groups = math.ceil(len(own) / size)
        vector = [0.0] * 12
        for back, items in enumerate(reversed(own)):
            for item in items:
                vector[item] += 0.8 ** (back % size) / size * 0.6 ** (back // size) / groups
        expected.append(np.array(vector))
    assert vectors.toarray() == pytest.approx(np.array(expected))
    items, scores = model.best(vectors, np.arange(20), 12)
    for user in range(20):
        others = sorted((float(((expected[user] - each) ** 2).sum()), other) for other, each in enumerate(expected)
                        if other != user)  # fmt: skip
        mean = sum(expected[other] for _, other in others[:4]) / 4
        mixed = 0.7 * expected[user] + 0.3 * mean
        assert scores[user] == pytest.approx(mixed[items[user]])
        assert scores[user] == pytest.approx(np.sort(mixed)[::-1])
