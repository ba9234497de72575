"""What was ordered often and lately comes first."""

import pytest

from feature_repo.candidates.sources.own_history import OwnHistory
from tests.feature_repo.candidates.sources.histories import asked


def test_an_order_counts_half_after_the_half_life():
    found = OwnHistory(14).candidates(asked([("a", 3, 30, 28), ("b", 1, 0, 0), ("new", 1, 14, 14)]), 2)
    assert found.items.tolist() == [1, 0]  # "new" has 0.5
    assert found.scores.tolist() == pytest.approx([1.0, 0.75])
