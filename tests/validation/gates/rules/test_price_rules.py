"""Prices that were rounded away."""

import pytest

from tests.small_log import at, event, item
from tests.validation.gates.measured import broken
from validation.gates.rules.price_rules import price_rules

ITEMS = "warning items.price: not rounded away"


def log(prices: list[float | None]):
    return broken(price_rules(), [item(f"i{n}", price=price) for n, price in enumerate(prices)])


@pytest.mark.parametrize("price", [0.0, 0.01, 0.1])
def test_prices_that_are_mostly_one_tiny_value_are_a_warning(price):
    found = log([price] * 15 + [1.0] * 10)
    assert found == {ITEMS: f"15 of 25 known values (60%) are {price:.2f}"}


def test_one_price_for_all_is_a_price():
    assert log([0.99] * 30) == {}


def test_free_items_among_others_and_few_prices_are_left_alone():
    assert log([0.0] * 10 + [5.0] * 10) == {}
    assert log([0.0] * 19) == {}
    assert log([None] * 50) == {}


def test_events_are_judged_by_their_own_prices():
    found = broken(price_rules(), [], [event(n, at(), "order", "a", price=0.0, value=3.0) for n in range(20)])
    assert list(found) == ["warning events.price: not rounded away"]
