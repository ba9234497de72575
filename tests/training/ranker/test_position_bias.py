"""Position bias, estimated from clicks whose examination is known."""

from __future__ import annotations

import numpy as np
import pytest

from training.ranker.position_bias import MIN_EXAMINATION, WeightedClicks, examination
from training.training_set.ranking_data import RankingData

SLATES, SIZE = 4_000, 12


def clicks(power: float) -> RankingData:
    """A shop that ranks liked items high, and users who examine position k with probability (1 + k) ** -power."""
    draw = np.random.default_rng(3)
    liking = draw.normal(size=(SLATES, SIZE))
    shown = np.argsort(np.argsort(-(liking + draw.normal(size=liking.shape)), axis=1), axis=1)
    wanted = draw.random(liking.shape) < 1 / (1 + np.exp(1.5 - 1.5 * liking))
    clicked = wanted & (draw.random(liking.shape) < (1.0 + shown) ** -power)
    return RankingData(
        matrix=liking.reshape(-1, 1).astype(np.float32),
        labels=clicked.ravel().astype(np.int64),
        sizes=np.full(SLATES, SIZE),
        relevant_total=clicked.sum(axis=1),
        feature_names=("liking",),
        shown_at=shown.ravel(),
    )


def test_the_curve_is_the_examination_of_the_users_without_the_effect_of_the_shops_order() -> None:
    data = clicks(0.7)
    raw = np.array([data.labels[data.shown_at == k].mean() for k in range(SIZE)])
    expected = (1.0 + np.arange(SIZE)) ** -0.7
    found = examination(data, seed=1, threads=1)[:SIZE]
    assert found == pytest.approx(expected, rel=0.25)
    assert np.abs(found - expected).sum() < 0.5 * np.abs(raw / raw[0] - expected).sum()


def test_the_curve_is_flat_if_users_examine_all_positions() -> None:
    assert examination(clicks(0.0), seed=1, threads=1)[:SIZE].min() > 0.8


def test_the_curve_never_rises_and_never_gets_too_small() -> None:
    found = examination(clicks(2.5), seed=1, threads=1)
    assert (np.diff(found) <= 1e-12).all()
    assert found.min() >= MIN_EXAMINATION


def test_a_click_is_weighted_by_the_inverse_of_the_examination_of_its_position() -> None:
    data = RankingData(
        matrix=np.zeros((4, 1), np.float32),
        labels=np.array([1, 0, 0, 1]),
        sizes=np.array([2, 2]),
        relevant_total=np.array([1, 1]),
        feature_names=("f",),
        shown_at=np.array([0, 1, 0, 1]),
    )
    found = WeightedClicks.of(data, np.array([1.0, 0.25]))
    # The clicked rows have the ranks 2 and 1 and the weights 1 and 4.
    assert found.discounted(np.array([0.0, 1.0, 0.0, 1.0])) == pytest.approx((1 / np.log2(3) + 4 * 1.0) / 5)
