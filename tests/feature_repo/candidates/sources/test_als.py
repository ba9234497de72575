"""The user is folded in as ``implicit`` itself computes a user's factors."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from feature_repo.candidates.item_codes import ItemCodes
from feature_repo.candidates.sources.als import Als
from tests.feature_repo.candidates.sources.histories import asked

CODES = ItemCodes.of_ids([f"i{n:02d}" for n in range(30)])


def test_a_folded_in_user_scores_as_in_implicit():
    library = pytest.importorskip("implicit.cpu.als")
    rng = np.random.default_rng(2)
    items = np.arange(0, 30, 2, dtype=np.int32)  # only every second item has factors
    factors = rng.normal(size=(15, 6)).astype(np.float32)
    history = [("i04", 3, 0, 0), ("i10", 1, 60, 60), ("i11", 9, 0, 0), ("new", 9, 0, 0)]
    model = library.AlternatingLeastSquares(factors=6, regularization=0.5, alpha=1.0, num_threads=1)
    model.item_factors = factors
    # w = 3 for i04 (position 2), and 0.5 for i10 (position 5), a half-life ago
    weights = csr_matrix(([1 + 4 * 3.0, 1 + 4 * 0.5], ([0, 0], [2, 5])), shape=(1, 15), dtype=np.float32)
    user = model.recalculate_user(0, weights)
    expected = factors.astype(np.float64) @ user.astype(np.float64).ravel()
    source = Als(items, factors, alpha=4.0, regularization=0.5, half_life_days=60)
    found = source.candidates(asked([], history, codes=CODES), 15)
    assert found.lists.starts.tolist() == [0, 0, 15]
    order = np.argsort(-expected)
    assert found.items.tolist() == items[order].tolist()
    np.testing.assert_allclose(found.scores, expected[order], rtol=1e-4, atol=1e-5)


def test_similar_items_are_by_cosine():
    factors = np.array([[1, 0], [10, 1], [0, 1], [-1, 0]], np.float32)
    source = Als(np.array([3, 5, 7, 9], np.int32), factors, 1.0, 1.0, 60)
    found = source.similar(np.array([4, 3], np.int32), 2)  # item 4 has no factors
    assert found.lists.starts.tolist() == [0, 0, 2]
    assert found.items.tolist() == [5, 7]
    assert found.scores.tolist() == pytest.approx([10 / np.sqrt(101), 0.0])


def test_histories_of_any_length_get_their_own_factors_alone_and_among_others():
    rng = np.random.default_rng(4)
    factors = rng.normal(size=(30, 6)).astype(np.float32)
    source = Als(np.arange(30, dtype=np.int32), factors, alpha=2.0, regularization=0.3, half_life_days=60)
    histories = [[(f"i{n:02d}", 1 + n % 3, 0, 0) for n in range(size)] for size in (1, 8, 9, 16, 17, 30, 2)]
    together = source.candidates(asked(*histories, codes=CODES), 30)
    for row, history in enumerate(histories):
        alone = source.candidates(asked(history, codes=CODES), 30)
        part = together.lists.slice(row)
        assert together.items[part].tolist() == alone.items.tolist()
        assert together.scores[part].tolist() == alone.scores.tolist()
        own, weight = factors[: len(history)].astype(np.float64), 2.0 * np.array([each[1] for each in history])
        left = factors.T.astype(np.float64) @ factors + 0.3 * np.eye(6) + (own * weight[:, None]).T @ own
        user = np.linalg.solve(left, ((1 + weight)[:, None] * own).sum(axis=0))
        np.testing.assert_allclose(np.sort(alone.scores), np.sort(factors @ user), rtol=1e-4, atol=1e-5)
