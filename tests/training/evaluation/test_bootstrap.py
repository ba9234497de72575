"""Bootstrap intervals over slates."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.evaluation import bootstrap
from training.evaluation.bootstrap import Interval, mean_interval, paired_difference

NAN = float("nan")


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert mean_interval(np.full(7, 0.5)) == Interval(0.5, 0.5, 0.5, 7)


def test_undefined_slates_are_left_out_and_not_counted() -> None:
    assert mean_interval(np.array([NAN, 2.0, NAN])) == Interval(2.0, 2.0, 2.0, 1)


def test_without_a_defined_slate_there_is_no_mean() -> None:
    got = mean_interval(np.array([NAN, NAN]))
    assert got.slates == 0
    assert all(map(math.isnan, (got.mean, got.low, got.high)))


def test_the_interval_has_the_width_of_the_normal_approximation() -> None:
    values = np.random.default_rng(3).normal(1.0, 2.0, 4_000)
    got = mean_interval(values)
    half = 1.96 * values.std() / math.sqrt(len(values))
    assert got.mean == values.mean()
    assert got.low == pytest.approx(values.mean() - half, abs=half / 8)
    assert got.high == pytest.approx(values.mean() + half, abs=half / 8)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    values = np.arange(50.0)
    assert mean_interval(values, seed=1) == mean_interval(values, seed=1)
    assert mean_interval(values, seed=1) != mean_interval(values, seed=2)


def test_the_interval_does_not_depend_on_the_chunk_size(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random(40)
    whole = mean_interval(values)
    monkeypatch.setattr(bootstrap, "CHUNK_VALUES", 3 * 40 + 1)
    assert mean_interval(values) == whole


def test_the_paired_difference_finds_a_small_constant_difference_that_separate_intervals_do_not() -> None:
    noise = np.random.default_rng(0).random(400)
    got = paired_difference(noise + 0.01, noise)
    assert got.mean == pytest.approx(0.01)
    assert got.low > 0.009
    assert mean_interval(noise + 0.01).low < mean_interval(noise).high


def test_slates_undefined_in_either_are_left_out_of_the_difference() -> None:
    got = paired_difference(np.array([3.0, NAN, 9.0, NAN]), np.array([1.0, 5.0, NAN, NAN]))
    assert got == Interval(2.0, 2.0, 2.0, 1)


def test_a_difference_between_other_slates_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shapes \(3,\) and \(1,\)"):
        paired_difference(np.zeros(3), np.zeros(1))


def test_slates_of_one_user_vary_together_and_widen_the_interval() -> None:
    generator = np.random.default_rng(1)
    of_user = generator.normal(size=60)
    values = np.repeat(of_user, 20) + 0.1 * generator.normal(size=1_200)
    alone = mean_interval(values)
    together = mean_interval(values, clusters=np.repeat(np.arange(60), 20))
    assert together.mean == alone.mean
    half = 2.0 * of_user.std() / math.sqrt(60)  # 2.0: of t with 59 degrees
    assert (together.high - together.low) / 2 == pytest.approx(half, rel=0.15)
    assert alone.high - alone.low < (together.high - together.low) / 3


def test_few_clusters_have_the_interval_of_the_t_distribution() -> None:
    """With nine values a percentile interval covers the mean in about 90 % of the samples, not in 95 %."""
    generator = np.random.default_rng(2)
    covered = [
        found.low <= 0 <= found.high
        for found in (mean_interval(generator.normal(size=9), seed=k, resamples=400) for k in range(400))
    ]
    assert 0.93 <= np.mean(covered) <= 0.98


def test_one_cluster_says_nothing_about_the_variation() -> None:
    got = mean_interval(np.array([0.1, 0.4]), clusters=np.array([3, 3]))
    assert got.mean == 0.25
    assert math.isnan(got.low)


def test_a_higher_confidence_is_a_wider_interval() -> None:
    values = np.random.default_rng(0).normal(size=200)
    assert mean_interval(values, confidence=0.99).low < mean_interval(values).low
