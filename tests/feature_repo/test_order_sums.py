"""The sums after each order, against direct sums in a loop."""

import numpy as np
import pytest

from feature_repo.build.order_sums import order_sums
from feature_repo.definitions.extents import BASKET_DECAY

DAY = 86_400_000_000


def some_orders(pairs, seed):
    """(first, ordered_us, basket, basket_size) of pairs with 1 to 9 orders; some orders share a time and a basket."""
    rng = np.random.default_rng(seed)
    first, ordered, basket, size = [], [], [], []
    for _ in range(pairs):
        n = int(rng.integers(1, 10))
        days = np.sort(rng.integers(0, 300, n))
        first += [True] + [False] * (n - 1)
        ordered += (days * DAY).tolist()
        basket += (days // 3 + rng.integers(0, 2, n)).tolist()  # a later order may be in an earlier basket
        size += rng.integers(1, 30, n).tolist()
    return np.array(first), *(np.array(each, np.int64) for each in (ordered, basket, size))


def test_the_sums_are_those_of_a_loop():
    first, ordered, basket, size = some_orders(60, 1)
    found = order_sums(first, ordered, basket, size)
    start = 0
    for row in range(len(first)):
        start = row if first[row] else start
        so_far = range(start, row + 1)
        ages = [(ordered[row] - ordered[i]) / DAY for i in so_far]
        last = max(basket[i] for i in so_far)
        for days in (14, 60, 180):
            assert found[f"decayed_{days}d"][row] == pytest.approx(sum(2 ** (-age / days) for age in ages), rel=1e-6)
        weighted = sum(size[i] ** -0.25 * 2 ** (-age / 60) for i, age in zip(so_far, ages, strict=True))
        assert found["weighted_60d"][row] == pytest.approx(weighted, rel=1e-6)
        by_baskets = sum(size[i] ** -0.25 * BASKET_DECAY ** (last - basket[i]) for i in so_far)
        assert found["basket_decayed"][row] == pytest.approx(by_baskets, rel=1e-6)
        assert (found["first_basket"][row], found["last_basket"][row]) == (min(basket[i] for i in so_far), last)
        gaps = np.diff(ordered[start : row + 1]) / 1e6
        assert found["gap_sd_s"][row] == pytest.approx(np.std(gaps) if len(gaps) > 1 else 0.0, rel=1e-4, abs=1.0)


def test_orders_of_other_pairs_and_later_orders_change_no_bit():
    first, ordered, basket, size = some_orders(60, 2)
    alone = order_sums(first[:40], ordered[:40], basket[:40], size[:40])
    for name, values in order_sums(first, ordered, basket, size).items():
        np.testing.assert_array_equal(values[:40], alone[name])


def test_no_orders_have_no_sums():
    empty = np.empty(0, np.int64)
    assert {len(values) for values in order_sums(empty.astype(bool), empty, empty, empty).values()} == {0}
