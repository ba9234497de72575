"""The highest inner products are exact, also among equal vectors, and do not depend on what else is asked."""

import tracemalloc

import numpy as np
import pytest

from feature_repo.candidates import inner_products
from feature_repo.candidates.inner_products import InnerProducts


@pytest.mark.parametrize("at_once", [1, 1_000, 16_000_000])
def test_they_are_those_of_float64(monkeypatch, at_once):
    monkeypatch.setattr(inner_products, "PRODUCTS_AT_ONCE", at_once)
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(300, 20)).astype(np.float32)
    vectors[50] *= 5
    vectors[100:200] = vectors[50]  # a hundred equal ones: the first by code are the best
    asked = np.concatenate([rng.normal(size=(6, 20)), vectors[50:51]])
    found = InnerProducts(vectors).best(asked, 30)
    exact = (asked[:, None, :] * vectors[None].astype(np.float64)).sum(axis=2).astype(np.float32)
    for row in range(7):
        best = sorted(range(300), key=lambda item: (-exact[row, item], item))[:30]
        assert found.items[found.lists.slice(row)].tolist() == best
        assert found.scores[found.lists.slice(row)].tolist() == exact[row, best].tolist()
    assert found.items[found.lists.slice(6)].tolist() == [50, *range(100, 129)]


def test_k_may_exceed_the_vectors_and_there_may_be_none():
    one = InnerProducts(np.ones((1, 2), np.float32))
    assert one.best(np.ones((2, 2)), 9).scores.tolist() == [2.0, 2.0]
    assert len(one.best(np.empty((0, 2)), 9).lists) == 0
    assert InnerProducts(np.empty((0, 2), np.float32)).best(np.ones((2, 2)), 9).lists.starts.tolist() == [0, 0, 0]


def test_many_equal_vectors_take_little_memory():
    found = InnerProducts(np.ones((4_000, 64), np.float32))
    tracemalloc.start()
    try:
        best = found.best(np.ones((500, 64)), 3)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert best.items.tolist() == [0, 1, 2] * 500
    assert peak < 500e6  # of 2 million pairs; all their factors at once are 2 GB
