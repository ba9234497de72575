from __future__ import annotations

import numpy as np
import pytest

from tests.shapes.slates import Acts, Slates, last_part, next_slates, popularity
from training.evaluation.metrics import RepeatedNdcg

DAY = 86_400_000_000


def slates(slate: list[int], label: list[int]) -> Slates:
    none, text = np.zeros(len(slate), dtype=np.int64), np.full(len(slate), "")
    return Slates(np.array(slate), text, text, text, none, none, np.array(label), np.zeros(len(slate)), none)


def test_ndcg_is_the_one_that_the_system_judges_by() -> None:
    rng = np.random.default_rng(3)
    sizes = rng.integers(1, 30, size=60)
    labels = rng.integers(5, size=sizes.sum()) * (rng.random(sizes.sum()) < 0.2)
    scores = rng.integers(6, size=sizes.sum()).astype(np.float64)  # many are equal
    found = slates(np.repeat(np.arange(60) * 3, sizes).tolist(), labels.tolist()).ndcg(scores)
    assert found == pytest.approx(RepeatedNdcg(labels, sizes, 10).values(scores), nan_ok=True)
    assert np.isnan(found).any()


def test_equal_scores_count_against_the_ranker() -> None:
    assert slates([0, 0], [1, 0]).ndcg(np.zeros(2)) == pytest.approx([1 / np.log2(3)])


def test_the_last_part_is_the_latest_15_percent() -> None:
    assert np.flatnonzero(last_part(np.array([9, *range(100, 119)]))).tolist() == [17, 18, 19]
    assert np.flatnonzero(last_part(np.array([*range(100, 119), 9]))).tolist() == [16, 17, 18]


def test_popularity_counts_28_whole_days_before() -> None:
    found = popularity(0, 2, np.array([0, 0, 1]), np.array([0, 5 * DAY + 7, 30 * DAY]))
    assert [found.at(day * DAY + 9).tolist() for day in (0, 1, 5, 6, 28, 29, 31, 99)] == [
        *([0, 0], [1, 0], [1, 0], [2, 0], [2, 0], [1, 0], [1, 1], [1, 1]),
    ]


def acts() -> Acts:
    """User a has the items 0, 0, 1 one after another, b has 2 four times, then a has 3 and 1."""
    user = ["a", "a", "a", "b", "b", "b", "b", "a", "a"]
    us = [0, 1 * DAY, 2 * DAY, 3 * DAY, 4 * DAY, 5 * DAY, 6 * DAY, 7 * DAY, 7 * DAY]
    return Acts(
        np.array([0, 1, 2, 3, 4, 5, 6, 7, 7]), np.array(user), np.full(9, ""), np.array([0, 0, 1, 2, 2, 2, 2, 3, 1]),
        np.array(us),
    )  # fmt: skip


def test_a_list_holds_the_users_own_items_those_touched_and_the_popular_ones_before_it() -> None:
    items = np.array(["i0", "i1", "i2", "i3", "i4"])
    found = next_slates(acts(), items, 0, touched={7: [4]}, popular=1)
    assert found.item.tolist() == ["i0", "i1", "i4", "i2"]
    assert found.label.tolist() == [0, 1, 0, 0]
    assert found.popularity.tolist() == [2, 1, 0, 4]
    assert set(found.wanted.tolist()) == {2}, "item 3 followed too, and nothing known before leads to it"
    assert set(found.us.tolist()) == {7 * DAY}


def test_a_list_of_new_items_only_leaves_out_what_the_user_had() -> None:
    items = np.array(["i0", "i1", "i2", "i3", "i4"])
    found = next_slates(acts(), items, 0, popular=2, only_new=True)
    assert found.item.tolist() == ["i2", "i3"]


def test_the_popular_items_of_a_touched_kind_are_candidates() -> None:
    items = np.array(["i0", "i1", "i2", "i3", "i4"])
    found = next_slates(acts(), items, 0, touched={7: [4]}, popular=0, own=1, kind=np.array([0, 0, 1, 1, 1]))
    assert found.item.tolist() == ["i0", "i4", "i2"]
