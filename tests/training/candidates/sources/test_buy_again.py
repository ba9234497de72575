"""How often and when an item is ordered again, with few buyers leaning on the category, by hand."""

import numpy as np
import pytest

from tests.small_log import item
from tests.training.candidates.known import known_log
from training.candidates.sources import buy_again

ACTS = [
    (0, "u", "order", "a"), (4, "u", "order", "a"), (8, "u", "order", "a"),  # 2 intervals of 4 days
    (1, "v", "order", "a"), (3, "v", "order", "a"),  # 1 of 2 days
    (1, "w", "order", "a"), (1, "w", "order", "b"),  # once each
    (2, "w", "order", "c"), (2, "w", "view", "c"),
]  # fmt: skip
ITEMS = [item("a", category_id="x"), item("b", category_id="x"), item("c", category_id="y")]


def test_without_shrinkage_an_item_stands_for_itself(tmp_path):
    with known_log(tmp_path, ACTS, items=ITEMS) as log:
        found = buy_again.fit(log, {"shrinkage": 1e-9})
    assert found.repeats[:3].tolist() == pytest.approx([2 / 3, 0, 0], abs=1e-6)
    # Rates per day of the two who repeat: 2 / 8 and 1 / 2.
    mean, variance = 0.375, 0.125**2
    assert found.shape[0] == pytest.approx(mean**2 / variance)
    assert found.rate[0] == pytest.approx(mean / variance)
    assert found.interval_days[0] == pytest.approx(np.sqrt(4 * 2))


def test_an_item_with_few_buyers_leans_on_its_category_and_that_on_all(tmp_path):
    with known_log(tmp_path, ACTS, items=ITEMS) as log:
        found = buy_again.fit(log, {"shrinkage": 2})
    overall = 2 / 5
    of_x, of_y = (2 + 2 * overall) / (4 + 2), (0 + 2 * overall) / (1 + 2)
    expected = [(2 + 2 * of_x) / (3 + 2), (0 + 2 * of_x) / (1 + 2), (0 + 2 * of_y) / (1 + 2), overall]
    assert found.repeats.tolist() == pytest.approx(expected)
    assert found.interval_days.tolist() == pytest.approx([np.sqrt(8)] * 4)  # nobody repeats anything else


def test_without_a_second_order_there_is_no_source(tmp_path):
    with known_log(tmp_path, [(1, "u", "order", "a"), (1, "u", "order", "a"), (2, "v", "order", "a")]) as log:
        assert buy_again.fit(log, {"shrinkage": 2}) is None
