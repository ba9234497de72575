"""The modified Poisson-gamma model, by hand."""

import numpy as np
import pytest

from feature_repo.candidates.sources.buy_again import BuyAgain, observed_days
from tests.feature_repo.candidates.sources.histories import CODES, asked


def test_days_are_counted_from_the_interval_while_the_order_is_recent():
    # Ordered 3 times in 20 days, so every 10 days.
    counts, interval = np.full(4, 3.0), np.full(4, 99.0)
    since_last = np.array([0.0, 10.0, 15.0, 30.0])
    found = observed_days(counts, 20 + since_last, since_last, interval)
    # Just ordered: 20 + 2 * 10. Due: 20. Overdue by 5: 20 + 2 * 5. Longer ago than twice the interval: 50.
    assert found.tolist() == [40.0, 20.0, 30.0, 50.0]


def test_after_a_single_order_the_interval_is_that_of_all_users():
    found = observed_days(np.ones(2), np.array([4.0, 50.0]), np.array([4.0, 50.0]), np.full(2, 7.0))
    assert found.tolist() == [6.0, 50.0]


def test_the_score_is_the_rate_times_the_probability_of_a_repeat():
    # codes a, b, c, and items that were not known
    source = BuyAgain(*(np.array(v, np.float32) for v in ([0.5, 0.25, 0, 1], [1, 1, 1, 1], [10, 10, 10, 10], [7] * 4)))
    # a: twice, 20 and 10 days ago, so due now; b: once, 50 days ago; "new": once, 7 days ago.
    found = source.candidates(asked([("a", 2, 20, 10), ("b", 1, 50, 50), ("new", 1, 7, 7)]), 5)
    assert found.items.tolist() == [len(CODES), 0, 1]
    assert found.scores.tolist() == pytest.approx([(1 + 1) / 10, 0.5 * (2 + 1) / (10 + 10), 0.25 * (1 + 1) / (50 + 10)])
