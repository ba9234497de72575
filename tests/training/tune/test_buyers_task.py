"""The buyers' tuning on the small shop: which windows it reads, and its metric."""

from __future__ import annotations

import numpy as np
import pytest

from tests.small_log import at
from tests.training.buyers.small_shop import DAYS, PARAMS, small_shop
from training.buyers.windows import TooFewWindows
from training.tune.buyers_task import EVERY, buyers_task, tuned_until

WINDOWS = {"days": 3, "every_days": 3, "train": 6, "validation": 2, "test": 3, "fit_every": 2}
RECOMMEND = {"windows": WINDOWS, "buyers": PARAMS}


def test_no_window_that_judges_is_read():
    assert tuned_until(at(DAYS), RECOMMEND) == at(DAYS - 9)  # three test windows of stage two
    judged = {**RECOMMEND, "buyers": {**PARAMS, "judged_windows": 5}}
    assert tuned_until(at(DAYS), judged) == at(DAYS - 15)


def test_the_metric_is_seen_while_it_fits_and_repeats_and_later_events_change_nothing(tmp_path):
    task = buyers_task(small_shop(tmp_path / "whole"), RECOMMEND, at(DAYS))
    seen = []
    found = task.measure({}, lambda rounds, value: seen.append((rounds, value)))
    assert 0.5 < found <= 1
    assert seen[0][0] == EVERY
    assert task.measure({}, lambda *_: None) == found
    assert task.measure({"lightgbm.num_leaves": 2, "lightgbm.learning_rate": 1e-6}, lambda *_: None) != found
    cut = buyers_task(small_shop(tmp_path / "cut", until=at(DAYS - 9)), RECOMMEND, at(DAYS))
    assert cut.study_name == task.study_name  # the same rows and labels
    assert np.isfinite(found)


def test_a_log_without_windows_is_an_error(tmp_path):
    with pytest.raises(TooFewWindows, match="no event before"):
        buyers_task(small_shop(tmp_path, until=at(5)), RECOMMEND, at(5))
