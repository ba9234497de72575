"""The split of slates by time: the configured timestamps, or the shares of the slates."""

import numpy as np
import pytest

from feature_repo.times.time_split import BadSplit, TimeSplit, time_split
from tests.small_log import at


def test_a_split_without_configuration_keeps_slates_with_equal_timestamps_together():
    found = time_split(None, np.array([1, 2, 2, 2, 3, 3, 4, 5, 6, 6])).of(np.array([2, 4, 5, 6]))
    assert found.tolist() == ["train", "train", "validation", "test"]


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"test_start": at(1).isoformat()}, "validation_start"),
        ({"validation_start": "2024-01-01", "test_start": "2024-01-02"}, "time zone"),
        ({"validation_start": at(2).isoformat(), "test_start": at(1).isoformat()}, "after"),
    ],
)
def test_a_bad_split_is_refused_with_the_reason(params, named):
    with pytest.raises(BadSplit, match=named):
        time_split(params, np.array([1]))


def test_a_slate_at_the_boundary_belongs_to_the_later_split():
    assert TimeSplit(10, 20).of(np.array([9, 10, 19, 20])).tolist() == ["train", "validation", "validation", "test"]
