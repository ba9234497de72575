import math

import numpy as np
import pytest

from tests.feature_repo.derived.slates import DECLARATION, HOUR, NOW, USER, derive, slate


def test_history_facts_by_hand():
    found = derive(slate(user=USER), DECLARATION)
    assert found["bought_before"].tolist() == [1, 1, 0]
    assert found["bought_count"].tolist() == [3, 1, 0]
    assert found["bought_share"].tolist() == [0.75, 0.25, 0]
    np.testing.assert_array_equal(found["bought_age_s"], np.float32([36_000, 18_000, math.nan]))
    np.testing.assert_array_equal(found["bought_interval_s"], np.float32([36_000, math.nan, math.nan]))
    assert found["bought_due"][0] == 1
    np.testing.assert_array_equal(found["category_share"], np.float32([0.75, 0.25, math.nan]))
    np.testing.assert_array_equal(found["category_age_s"], np.float32([36_000, 18_000, math.nan]))


def test_decayed_orders_are_halved_after_each_half_life():
    days = {"history_last_us": [NOW - 14 * 24 * HOUR, NOW - 180 * 24 * HOUR]}
    found = derive(slate(user={**USER, **days}), DECLARATION)
    assert found["bought_decayed_14d"].tolist() == [1.0, np.float32(2 ** (-180 / 14)), 0]
    assert found["bought_decayed_60d"].tolist() == [np.float32(2.5 * 2 ** (-14 / 60)), 0.125, 0]
    assert found["bought_decayed_180d"].tolist() == [np.float32(2.75 * 2 ** (-14 / 180)), 0.5, 0]


def test_orders_by_baskets_by_hand():
    found = derive(slate(user=USER), DECLARATION)  # 4 baskets so far; a was in 1 to 4, b in 3
    assert found["bought_baskets_ago"].tolist()[:2] == [0, 1]
    assert np.isnan(found["bought_baskets_ago"][2])
    assert found["bought_basket_decayed"].tolist() == [2.5, np.float32(0.97), 0]
    assert found["bought_basket_share"].tolist() == [0.75, 0.5, 0]
    assert found["bought_due_z"][0] == 0  # as long ago as its interval
    assert np.isnan(found["bought_due_z"][1])
    sixty = [2.5 * 2 ** (-10 / 24 / 60), 1.0 * 2 ** (-5 / 24 / 60)]
    assert found["bought_rate"].tolist() == [np.float32(each / sum(sixty)) for each in sixty] + [0]
    weighted = [1.5 * 2 ** (-10 / 24 / 60), 0.75 * 2 ** (-5 / 24 / 60), 0.0]
    assert found["bought_weighted_60d"].tolist() == np.float32(weighted).tolist()


def test_the_decayed_orders_of_a_category_are_those_of_its_items():
    one_category = {"history_categories": ["x", "x"]}
    found = derive(slate(user={**USER, **one_category}), DECLARATION)
    of_items = derive(slate(user=USER), DECLARATION)
    for days in (14, 60, 180):
        total = of_items[f"bought_decayed_{days}d"][:2].astype(np.float64).sum()
        assert found[f"category_decayed_{days}d"][0] == pytest.approx(total, rel=1e-6)
        assert found[f"category_decayed_{days}d"][1] == 0  # the user ordered nothing of y
        assert np.isnan(found[f"category_decayed_{days}d"][2])  # the item has no category


def test_an_item_ordered_twice_at_one_timestamp_has_no_interval():
    twice = {**USER, "history_counts": [3, 2], "history_first_us": USER["history_last_us"]}
    found = derive(slate(user=twice), DECLARATION)
    assert np.isnan(found["bought_interval_s"]).all()
    assert np.isnan(found["bought_due"]).all()


def test_a_known_user_without_orders_has_zeros_not_missing_values():
    empty = {**USER, **{name: [] for name in USER if name.startswith("history_")}}
    assert derive(slate(user=empty), DECLARATION)["bought_count"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", ["bought_before", "category_share"])
def test_of_an_unknown_user_nothing_is_known(name):
    assert np.isnan(derive(slate(), DECLARATION)[name]).all()
