import numpy as np
import pytest

from training.buyers.calibration import calibration_table, fitted_scaling


def test_scores_that_are_too_sure_are_drawn_back():
    generator = np.random.default_rng(0)
    odds = generator.normal(size=20_000)
    labels = (generator.random(20_000) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    scaling = fitted_scaling(3 * odds + 1, labels)
    assert scaling.slope == pytest.approx(1 / 3, abs=0.02)
    assert scaling.offset == pytest.approx(-1 / 3, abs=0.05)


def test_users_who_are_sorted_without_a_fault_leave_finite_probabilities():
    scaling = fitted_scaling(np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0, 0, 1, 1], np.int8))
    found = scaling(np.array([-2.0, 2.0]))
    assert 0 < found[0] < 0.3
    assert 0.7 < found[1] < 1


def test_the_table_has_groups_of_equal_size_by_probability():
    probabilities = np.array([0.9, 0.1, 0.2, 0.8, 0.3])
    labels = np.array([1, 0, 1, 1, 0], np.int8)
    low, high = calibration_table(probabilities, labels, bins=2)
    assert low == {"predicted": pytest.approx(0.2), "observed": pytest.approx(1 / 3), "users": 3}
    assert high == {"predicted": pytest.approx(0.85), "observed": 1.0, "users": 2}
    assert len(calibration_table(probabilities, labels)) == 5
