from datetime import timedelta

import pytest

from tests.small_log import at
from training.buyers.windows import WARM_UP, TooFewWindows, WindowPlan


def test_windows_lie_next_to_each_other_and_end_with_the_timestamp():
    plan = WindowPlan.before(at(60), 3, at(0), train=4, stopping=1, calibration=2)
    assert plan.calibration == (at(57), at(54))
    assert plan.stopping == (at(51),)
    assert plan.train == (at(48), at(45), at(42), at(39))


def test_the_log_s_first_days_are_left_out():
    plan = WindowPlan.before(at(60), 3, at(0), train=40, stopping=2, calibration=2)
    assert len(plan.train) == 6
    assert plan.train[-1] >= at(0) + WARM_UP > plan.train[-1] - timedelta(days=3)


def test_a_log_that_is_too_short_is_an_error_that_says_so():
    with pytest.raises(TooFewWindows, match=r"4 windows of 3 days .* leave none to train on"):
        WindowPlan.before(at(42), 3, at(0), train=40, stopping=2, calibration=2)
