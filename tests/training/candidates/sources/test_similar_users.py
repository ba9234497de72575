"""What is fitted of the users, by hand."""

import numpy as np
import pytest

from tests.training.candidates.known import known_log
from training.candidates.sources import similar_users

PARAMS = {"half_life_days": 60, "users": 9, "user_items": 2, "idf": 2.0, "neighbours": 5, "power": 1.0, "seed": 7}
# At day 10, the day of all orders: u ordered a three times, b and c once; v ordered b.
ACTS = [(9.999, user, "order", item) for user, items in (("u", "aaabc"), ("v", "b")) for item in items]


def test_vectors_have_length_1_and_shares_sum_to_1(tmp_path):
    with known_log(tmp_path, ACTS) as log:
        found = similar_users.fit(log, PARAMS)
    idf = np.log1p([2, 1, 2]) ** 2  # 2 users over the buyers of a, b, c
    assert found.idf.tolist() == pytest.approx(idf.tolist())
    vector = np.array([3, 1, 1]) * idf
    unit = vector / np.sqrt((vector**2).sum())
    dense = found.by_item.matrix.toarray()  # items x users
    np.testing.assert_allclose(dense, np.stack([unit, [0, 1, 0]], axis=1), rtol=1e-5)
    shares = found.of_user.matrix.toarray()
    np.testing.assert_allclose(shares, [[0.6, 0.2, 0], [0, 1, 0]], rtol=1e-5)  # of u, two items


def test_without_orders_there_is_no_source(tmp_path):
    with known_log(tmp_path, [(1, "u", "view", "a")]) as log:
        assert similar_users.fit(log, PARAMS) is None
