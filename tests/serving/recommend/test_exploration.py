from __future__ import annotations

import numpy as np
import pytest

from serving.recommend import exploration
from serving.recommend.exploration import Draw, NewItems, inserted
from serving.recommend.policy import Explore
from serving.recommend.rules import DAY_US

NEW = [f"n{i}" for i in range(10)]


def rng(seed=0):
    return np.random.default_rng(seed)


def test_each_new_item_is_drawn_as_often_as_its_propensity_says():
    pool = NewItems(lambda _: NEW, Explore(share=0.1, days=7))
    draws = [pool.draw(0, 25, {"n0", "n1"}, rng(seed)) for seed in range(4000)]
    assert {draw.propensity for draw in draws} == {2.5 / 8}
    assert {len(draw.item_ids) for draw in draws} == {2, 3}
    counts = [sum(item in draw.item_ids for draw in draws) / len(draws) for item in NEW]
    assert counts[:2] == [0.0, 0.0]  # the sources list them
    np.testing.assert_allclose(counts[2:], 2.5 / 8, atol=0.03)  # four standard errors


def test_the_same_seed_draws_the_same():
    pool = NewItems(lambda _: NEW, Explore(share=0.2, days=7))
    assert pool.draw(0, 10, set(), rng(5)) == pool.draw(0, 10, set(), rng(5))


def test_without_a_share_nobody_looks_for_new_items():
    def fail(_):
        raise AssertionError

    assert NewItems(fail, Explore(share=0.0)).draw(0, 25, set(), rng()) == Draw()


def test_a_pool_smaller_than_the_share_is_shown_whole():
    pool = NewItems(lambda _: ["n1", "n0"], Explore(share=0.5, days=7))
    found = pool.draw(0, 10, set(), rng())
    assert (sorted(found.item_ids), found.propensity) == (["n0", "n1"], 1.0)


def test_an_item_is_new_for_the_days_of_the_policy_and_the_pool_is_looked_at_again(monkeypatch):
    asked = []
    pool = NewItems(lambda since_us: asked.append(since_us) or NEW, Explore(share=0.5, days=7))
    now = [100.0]
    monkeypatch.setattr(exploration.time, "monotonic", lambda: now[0])
    for seconds in (0.0, 0.5, 1.5):
        now[0] = 100 + seconds
        pool.draw(10 * DAY_US, 4, set(), rng())
    assert asked == [3 * DAY_US] * 2


def test_drawn_items_stand_anywhere_among_the_first_k_and_the_others_keep_their_order():
    found = [inserted([0, 1, 2, 3, 4], [7, 8], 5, rng(seed)) for seed in range(300)]
    assert {tuple(i for i in each if i < 7) for each in found} == {(0, 1, 2)}
    assert {len(each) for each in found} == {5}
    for drawn in (7, 8):
        assert {each.index(drawn) for each in found} == {0, 1, 2, 3, 4}


@pytest.mark.parametrize(("ranked", "drawn", "k"), [([], [7], 5), ([1], [], 5), ([], [], 5), ([1, 2], [7, 8, 9], 2)])
def test_few_items_are_inserted_too(ranked, drawn, k):
    found = inserted(ranked, drawn, k, rng())
    assert len(found) == min(k, len(ranked) + len(drawn))
    assert set(found) <= {*ranked, *drawn}
