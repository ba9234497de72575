"""Sampled negatives: drawn by support^alpha, and equal for equal seeds."""

import numpy as np
import pytest

from training.gru4rec.network.negatives import NegativeSampler

COUNTS = np.array([1, 4, 16, 0], np.int64)


@pytest.mark.parametrize(("alpha", "weights"), [(0.0, [1, 1, 1, 1]), (0.5, [1, 2, 4, 1]), (1.0, [1, 4, 16, 1])])
def test_items_are_drawn_in_proportion_to_their_support_to_the_alpha(alpha, weights):
    """An item without support counts as one that was seen once. The standard error of each share is below 0.0012."""
    drawn = NegativeSampler(COUNTS, 200_000, alpha, (1,)).draw()
    shares = np.bincount(drawn, minlength=4) / len(drawn)
    assert shares == pytest.approx(np.array(weights) / sum(weights), abs=0.006)


def test_equal_seeds_draw_equal_items_and_each_draw_differs():
    first, again, other = (NegativeSampler(COUNTS, 50, 0.5, (3, epoch)) for epoch in (0, 0, 1))
    draws = [first.draw() for _ in range(3)]
    assert all(np.array_equal(draw, again.draw()) for draw in draws)
    assert not np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], other.draw())


def test_draws_continue_when_the_pool_is_used_up(monkeypatch):
    monkeypatch.setattr("training.gru4rec.network.negatives.DRAWN_AT_ONCE", 4)
    sampler = NegativeSampler(COUNTS, 2, 1.0, (1,))
    draws = [tuple(sampler.draw()) for _ in range(40)]
    assert len(set(draws)) > 3
    assert all(len(draw) == 2 and max(draw) <= 3 for draw in draws)


def test_zero_samples_give_an_empty_draw():
    assert NegativeSampler(COUNTS, 0, 0.5, (1,)).draw().shape == (0,)
