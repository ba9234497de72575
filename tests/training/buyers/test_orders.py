"""The small shop's orders, counted again from its rules in plain Python."""

import pytest

from infra.clock import epoch_us
from tests.small_log import at
from tests.training.buyers.small_shop import RARE, REGULARS, basket, order_days
from training.buyers.orders import NotKnownYet, has_happened, open_orders
from training.candidates.known_log import log_reaches

USERS = range(REGULARS + RARE)


def ordered(first: int, last: int) -> dict[str, set[str]]:
    """User -> items ordered on the days from ``first``, before ``last``."""
    found: dict[str, set[str]] = {}
    for user in USERS:
        for day in order_days(user):
            if first <= day < last:
                found.setdefault(f"u{user:02d}", set()).update(basket(user, day))
    return found


def test_buyers_and_baskets_are_those_of_the_window(shop):
    with open_orders(shop, at(50)) as orders:
        assert orders.buyers(at(47), at(50)).to_pylist() == sorted(ordered(47, 50))
        bought = orders.bought(at(47), at(50)).to_pylist()
    expected = [(user, item) for user, items in sorted(ordered(47, 50).items()) for item in sorted(items)]
    assert [(row["user_id"], row["item_id"]) for row in bought] == expected


def test_users_are_known_from_their_first_event_on(shop):
    with open_orders(shop, at(50)) as orders:
        assert orders.users(at(2)).to_pylist() == sorted(ordered(0, 2))
        assert len(orders.users(at(50))) == len(ordered(0, 50))
        assert orders.first_event() == at(0, 36_000)


def test_what_happened_after_the_timestamp_cannot_be_asked_for(shop):
    with open_orders(shop, at(50)) as orders:
        for ask in (
            lambda: orders.users(at(50, 1)),
            lambda: orders.buyers(at(48), at(51)),
            lambda: orders.bought(at(48), at(51)),
            lambda: orders.live_sessions(at(51)),
            lambda: orders.trending(at(51), 7, 3),
        ):
            with pytest.raises(NotKnownYet, match="as known at"):
                ask()


def test_a_session_is_live_for_an_hour_after_its_newest_event(shop):
    # user u00 orders on day 48 at second 36,000 and the two after
    with open_orders(shop, at(50)) as orders:
        assert "u00" not in orders.live_sessions(at(48, 36_000))
        assert orders.live_sessions(at(48, 36_001))["u00"] == "u00-48"
        assert orders.live_sessions(at(48, 36_002 + 3_600))["u00"] == "u00-48"
        assert "u00" not in orders.live_sessions(at(48, 36_003 + 3_600))


def test_trending_items_are_those_of_most_users_and_then_those_of_all_time(shop):
    users: dict[str, set[int]] = {}
    for user in USERS:
        for day in order_days(user):
            if 43 <= day < 50:
                for item in basket(user, day):
                    users.setdefault(item, set()).add(user)
    with open_orders(shop, at(50)) as orders:
        found = orders.trending(at(50), 7, 1_000)
    counts = [len(users.get(item, ())) for item in found]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 1
    assert len(found) == len(set(found)) > len(users)


def test_a_window_has_happened_when_the_log_reaches_its_end(shop):
    assert epoch_us(log_reaches(shop)) > epoch_us(at(74))
    assert has_happened(shop, at(71), 3)
    assert not has_happened(shop, at(72), 3)
