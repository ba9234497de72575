"""Drift of distributions whose distance is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from training.features.drift import FAR, LARGE, LEVELS, MODERATE, SHIFTED, STABLE, Drift, drift, stability_index

RNG = np.random.default_rng(5)


def repeated(*levels: tuple[float, int]) -> np.ndarray:
    return np.concatenate([np.full(count, value, np.float64) for value, count in levels])


def test_the_index_is_that_of_the_shares_worked_out_by_hand():
    # 0.5 is added to each of the two bins: 60.5 / 101 and 40.5 / 101 before, 20.5 / 101 and 80.5 / 101 after
    expected = (20.5 - 60.5) / 101 * np.log(20.5 / 60.5) + (80.5 - 40.5) / 101 * np.log(80.5 / 40.5)
    assert stability_index(np.array([60, 40]), np.array([20, 80])) == pytest.approx(expected)


def test_equal_samples_have_no_drift():
    values = RNG.normal(size=2000)
    assert drift(values, values) == Drift(psi=0.0, ks=0.0)


def test_two_samples_of_one_distribution_are_stable_and_a_shifted_one_is_far():
    train, alike, shifted = RNG.normal(size=5000), RNG.normal(size=5000), RNG.normal(1.0, size=5000)
    assert drift(train, alike).verdict == STABLE
    found = drift(train, shifted)
    assert found.verdict == LARGE
    assert found.psi == pytest.approx(1.0, abs=0.2)  # for equal variances about the squared shift


@pytest.mark.parametrize("shift", [0.0, 0.1, 2.0])
def test_the_largest_distance_is_scipys(shift):
    train, test = RNG.normal(size=400).round(1), RNG.normal(shift, size=300).round(1)
    found = drift(np.append(train, np.nan), np.append([np.nan, np.nan], test))
    assert found.ks == pytest.approx(ks_2samp(train, test).statistic, abs=1e-12)


def test_missing_values_are_a_bin_of_their_own():
    train, test = repeated((1.0, 100), (np.nan, 100)), repeated((1.0, 180), (np.nan, 20))
    found = drift(train, test)
    # bins: 1, other values, missing
    assert found.psi == pytest.approx(stability_index(np.array([100, 0, 100]), np.array([180, 0, 20])))
    assert found.psi > FAR
    assert found.ks == 0


def test_a_feature_that_test_never_has_is_far_and_has_no_distance():
    found = drift(RNG.normal(size=500), np.full(500, np.nan))
    assert found.verdict == LARGE
    assert found.ks is None
    assert drift(np.full(500, np.nan), np.full(400, np.nan)).psi == pytest.approx(0, abs=1e-3)


def test_a_flag_that_is_mostly_1_has_a_bin_for_each_of_its_values():
    """Its deciles are all 1, which would not tell 0 and 1 apart."""
    found = drift(repeated((0.0, 20), (1.0, 980)), repeated((0.0, 500), (1.0, 500)))
    assert found.psi > 1
    assert found.ks == pytest.approx(0.48)


def test_many_equal_values_do_not_make_empty_bins():
    train, test = (np.append(np.zeros(1000), RNG.uniform(1, 2, size=n)) for n in (400, 100))
    counts = np.array([1000, 140, 140, 120, 0]), np.array([1000, 35, 35, 30, 0])
    assert drift(train, test).psi == pytest.approx(stability_index(*counts), rel=0.2)


def test_levels_have_no_order_and_no_distance():
    """Level 1 becomes level 9: as a number a long way, as a category another name."""
    train, test = repeated((0, 500), (1, 500)), repeated((0, 500), (9, 500))
    found = drift(train, test, is_category=True)
    # bins: 0, 1, other levels, missing
    counts = np.array([500, 500, 0, 0]), np.array([500, 0, 500, 0])
    assert found == Drift(stability_index(*counts), None)


def test_rare_levels_are_one_bin_so_that_new_ones_among_them_are_no_drift():
    levels = np.arange(3000.0)
    shares = 1 / (levels + 10)
    train, test = (RNG.choice(levels, 20_000, p=shares / shares.sum()) for _ in range(2))
    assert len(np.unique(train)) > 10 * LEVELS
    assert (~np.isin(test, train)).any()
    assert drift(train, test, is_category=True).verdict == STABLE


@pytest.mark.parametrize(
    ("psi", "verdict"),
    [(0.0, STABLE), (SHIFTED - 1e-9, STABLE), (SHIFTED, MODERATE), (FAR - 1e-9, MODERATE), (FAR, LARGE)],
)
def test_the_usual_thresholds(psi, verdict):
    assert (SHIFTED, FAR) == (0.1, 0.25)
    assert Drift(psi, None).verdict == verdict
