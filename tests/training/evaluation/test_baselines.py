"""The baselines on a slate small enough to order by hand."""

from __future__ import annotations

import numpy as np
import pytest

from infra.models.ranker import BadModel
from training.evaluation.baselines import BASELINES, baselines

NAMES = ("input_position", "orders_28d", "carts_28d", "views_28d", "bought_count", "bought_age_s", "touched_age_s",
         "bought_decayed_60d")  # fmt: skip
NAN = float("nan")
SLATE = np.array(
    [
        # position, orders, carts, views, bought, age, touched, decayed
        [0, 5, 0, 0, 0, NAN, NAN, 0],
        [1, 9, 0, 0, 2, 50, 40, 1.5],
        [2, NAN, 0, 0, 3, 900, NAN, 0.5],
        [3, 7, 0, 0, 2, 50, 7, 1.75],
        [4, 1, 0, 0, 0, NAN, NAN, 0],
    ],
    dtype=np.float32,
)


def order(name: str, slate: np.ndarray = SLATE) -> list[int]:
    return [int(i) for i in np.argsort(-baselines(NAMES)[name].score(slate), kind="stable")]


def test_the_baselines_are_in_the_declared_order() -> None:
    assert tuple(baselines(NAMES)) == BASELINES
    assert [ranker.name for ranker in baselines(NAMES).values()] == list(BASELINES)


def test_input_order_is_the_order_of_the_request_even_for_shuffled_rows() -> None:
    assert order("input_order") == [0, 1, 2, 3, 4]
    assert order("input_order", SLATE[::-1]) == [4, 3, 2, 1, 0]


def test_popularity_puts_the_most_ordered_first_and_the_unknown_last() -> None:
    assert order("popularity") == [1, 3, 0, 4, 2]


def test_decayed_frequency_puts_the_most_recently_frequent_first_then_the_popular() -> None:
    assert order("decayed_frequency") == [3, 1, 2, 0, 4]


def test_popularity_uses_the_next_column_if_the_log_has_no_orders() -> None:
    slate = SLATE.copy()
    slate[:, NAMES.index("orders_28d")] = NAN
    slate[:, NAMES.index("carts_28d")] = NAN
    slate[:, NAMES.index("views_28d")] = [1, 2, 5, 4, 3]
    assert order("popularity", slate) == [2, 3, 4, 1, 0]


def test_purchase_frequency_breaks_ties_by_popularity() -> None:
    assert order("purchase_frequency") == [2, 1, 3, 0, 4]


def test_recency_puts_the_latest_first_and_the_never_bought_last_by_popularity() -> None:
    assert order("recency") == [1, 3, 2, 0, 4]


def test_last_touched_puts_the_latest_touch_first_and_the_rest_in_the_order_of_the_request() -> None:
    assert order("last_touched") == [3, 1, 0, 2, 4]
    assert order("last_touched", SLATE[::-1]) == [1, 3, 4, 2, 0]  # rows of the same items, reversed


def test_without_a_touch_in_the_session_last_touched_is_the_order_of_the_request() -> None:
    slate = SLATE.copy()
    slate[:, NAMES.index("touched_age_s")] = NAN
    assert order("last_touched", slate) == [0, 1, 2, 3, 4]


def test_random_ignores_every_column_and_differs_between_slates() -> None:
    ranker = baselines(NAMES)["random"]
    slates = np.random.default_rng(0).random((40, 30, len(NAMES))).astype(np.float32)
    firsts = {int(np.argmax(ranker.score(slate))) for slate in slates}
    assert len(firsts) > 10


def test_popularity_can_use_another_column() -> None:
    named = baselines((*NAMES, "rating"), popularity=("rating",))
    slate = np.column_stack([SLATE, np.array([1, 2, 3, 4, 5], dtype=np.float32)])
    assert list(np.argsort(-named["popularity"].score(slate))) == [4, 3, 2, 1, 0]


def test_a_baseline_whose_column_is_missing_is_refused_and_named() -> None:
    with pytest.raises(BadModel, match="'purchase_frequency' sorts by 'bought_count'"):
        baselines(tuple(name for name in NAMES if name != "bought_count"))
