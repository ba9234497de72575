"""Neighbours by the cosine of weighted histories, against a few lines without sparse matrices."""

import numpy as np
import pytest

from feature_repo.candidates.item_codes import ItemCodes
from feature_repo.candidates.ragged import Ragged
from feature_repo.candidates.sources.similar_users import SimilarUsers
from feature_repo.candidates.sparse_table import SparseTable
from tests.feature_repo.candidates.sources.histories import asked

CODES = ItemCodes.of_ids(["a", "b", "c", "d"])
COUNTS = np.array([[2, 1, 0, 0], [1, 0, 3, 0], [0, 0, 1, 1], [0, 0, 0, 5]], np.float64)  # users x items
IDF = np.array([1.0, 2.0, 0.5, 1.0], np.float32)


def table(matrix: np.ndarray) -> SparseTable:
    rows, items = np.nonzero(matrix)
    lists = Ragged.of_lengths(np.bincount(rows, minlength=len(matrix)))
    return SparseTable(lists, items.astype(np.int32), matrix[rows, items].astype(np.float32), matrix.shape[1])


def source(neighbours: int, power: float = 1.0) -> SimilarUsers:
    vectors = COUNTS * IDF
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    shares = COUNTS / COUNTS.sum(axis=1, keepdims=True)
    return SimilarUsers(table(unit.T), table(shares), IDF, 60, neighbours, power)


def test_items_score_the_neighbours_shares_by_similarity():
    user = np.array([1.0, 0, 1, 0])  # of a and c
    similar = (COUNTS * IDF) @ (user * IDF) / np.linalg.norm(COUNTS * IDF, axis=1) / np.linalg.norm(user * IDF)
    nearest = np.argsort(-similar)[:2]
    shares = COUNTS / COUNTS.sum(axis=1, keepdims=True)
    expected = (similar[nearest, None] ** 2 * shares[nearest]).sum(axis=0)
    found = source(2, power=2.0).candidates(asked([("a", 1, 0, 0), ("c", 1, 0, 0)], codes=CODES), 10)
    order = [item for item in np.argsort(-expected) if expected[item] > 0]
    assert found.items.tolist() == order
    assert found.scores.tolist() == pytest.approx(expected[order].tolist(), rel=1e-5)


def test_the_user_itself_is_no_neighbour():
    found = source(3).candidates(asked([("d", 5, 0, 0)], codes=CODES), 10)  # as the last user
    assert CODES.decode(found.items) == ["c", "d"]  # by the third user alone
    assert found.scores[0] == found.scores[1]


def test_users_with_the_same_history_leave_no_other_out():
    counts = np.concatenate([np.array([[1.0, 0, 0, 0]] * 5), COUNTS])  # five more who ordered a alone
    unit = counts * IDF / np.linalg.norm(counts * IDF, axis=1, keepdims=True)
    shares = counts / counts.sum(axis=1, keepdims=True)
    many = SimilarUsers(table(unit.T), table(shares), IDF, 60, 2, 1.0)
    found = many.candidates(asked([("a", 1, 0, 0)], codes=CODES), 10)
    assert sorted(CODES.decode(found.items)) == ["a", "b", "c"]  # by the first two users of COUNTS
