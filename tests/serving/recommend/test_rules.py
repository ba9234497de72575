"""Each rule on a slate made by hand: six candidates, the order in which they are given is the best first."""

from __future__ import annotations

import numpy as np

from feature_repo.slate import Row, Slate, floats
from serving.recommend.rules import (
    DAY_US,
    Filters,
    already_bought,
    apply_all,
    blocked_categories,
    excluded,
    max_per_category,
    out_of_stock,
    seen_in_session,
)

NOW = 100 * DAY_US
CATEGORIES = ["x", "x", "x", "y", None, "y"]
SLATE = Slate(
    scored_us=NOW,
    item_ids=["a", "b", "c", "d", "e", "f"],
    items={
        "category_id": np.array(CATEGORIES, object),
        "shop_id": np.array(["s", "t", "s", "s", None, "t"], object),
        "price": floats([1.0, 2.0, 3.0, 4.0, None, 0.5]),
        "in_stock": floats([1, 0, None, 0, None, 1]),
    },
    user=Row({"history_items": ["a", "d"], "history_last_us": [NOW - 2 * DAY_US, NOW - 9 * DAY_US]}),
    session=Row({"recent_items": ["b", "a", "f"], "recent_actions": ["order", "view", "add_to_cart"]}),
)
ALL = np.arange(6)


def left(rule, order=ALL):
    return "".join(SLATE.item_ids[i] for i in rule.apply(SLATE, np.asarray(order)).tolist())


def test_what_was_bought_within_the_days_is_removed():
    assert left(already_bought(7)) == "bcdef"
    assert left(already_bought(2)) == "bcdef"  # exactly two days ago
    assert left(already_bought(1.9)) == "abcdef"
    assert left(already_bought(30)) == "bcef"


def test_what_the_session_did_with_an_action_is_removed():
    assert left(seen_in_session({"order", "add_to_cart"})) == "acde"
    assert left(seen_in_session({"like"})) == "abcdef"


def test_only_a_known_stock_of_none_is_sold_out():
    assert left(out_of_stock("in_stock")) == "acef"
    assert left(out_of_stock("no such column")) == "abcdef"
    assert left(out_of_stock("shop_id")) == "abcdef"  # a text says nothing of a stock


def test_blocked_categories_are_removed_and_no_category_is_not_blocked():
    assert left(blocked_categories({"y"})) == "abce"
    assert left(blocked_categories(set())) == "abcdef"


def test_excluded_items_are_removed_and_unknown_ones_do_no_harm():
    assert left(excluded({"f", "zz"})) == "abcde"


def test_at_most_so_many_of_a_category_are_among_the_first():
    assert left(max_per_category(1, of_first=3)) == "adebcf"  # a, d and e fill the three; b and c were passed over
    assert left(max_per_category(2, of_first=4)) == "abdecf"
    assert left(max_per_category(1, of_first=6)) == "adebcf"  # too few others: those passed over come back
    assert left(max_per_category(6, of_first=6), [5, 4, 3]) == "fed"


def test_filters_keep_what_is_wanted_and_known():
    assert left(Filters(category_id=frozenset("x"), min_price=2.0).rule()) == "bc"
    assert left(Filters(shop_id=frozenset("s"), max_price=3.0).rule()) == "ac"
    assert left(Filters(brand=frozenset("s")).rule()) == ""  # no item has a known brand
    assert left(Filters().rule()) == "abcdef"
    assert left(Filters(min_price=0.0).rule()) == "abcdf"


def test_rules_apply_in_order_and_each_counts_its_own():
    rules = [blocked_categories({"y"}), excluded({"a", "d"}), max_per_category(1, of_first=2)]
    order, counts = apply_all(rules, SLATE, ALL, k=2)
    assert [SLATE.item_ids[i] for i in order] == ["b", "e", "c"]
    assert counts == {"blocked_categories": 2, "excluded": 1, "max_per_category": 1}  # c is moved out of the first two


def test_a_rule_that_is_listed_twice_counts_together():
    _, counts = apply_all([blocked_categories({"x"}), blocked_categories({"y"})], SLATE, ALL, k=6)
    assert counts == {"blocked_categories": 5}


def test_a_row_that_an_older_release_wrote_without_a_list_breaks_no_rule():
    user = Row({"history_items": ["a"], "history_last_us": None})
    slate = Slate(NOW, ["a"], SLATE.items, user, Row({"recent_items": None}))
    rules = [already_bought(7), seen_in_session({"view"})]
    assert apply_all(rules, slate, np.array([0]), 1)[1] == {"already_bought": 0, "seen_in_session": 0}


def test_a_user_and_a_session_that_are_unknown_break_no_rule():
    slate = Slate(scored_us=NOW, item_ids=["a"], items=SLATE.items)
    rules = [already_bought(7), seen_in_session({"view"})]
    assert apply_all(rules, slate, np.array([0]), 1)[1] == {"already_bought": 0, "seen_in_session": 0}
