"""The rule for one row and for many rows is the same, and that of the point-in-time join."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.definitions.view import View
from serving.ttl import are_valid, is_valid

DAY_US = 86_400_000_000
VIEW = View("v", "item", "", ttl=timedelta(days=1), granularity="", publish_delay=timedelta(0), columns=())


@pytest.mark.parametrize(
    ("scored_us", "expected"),
    [(5 * DAY_US - 1, False), (5 * DAY_US, True), (6 * DAY_US, True), (6 * DAY_US + 1, False)],
)
def test_a_row_counts_from_its_timestamp_until_its_ttl_later_both_inclusive(scored_us, expected):
    assert is_valid(VIEW, 5 * DAY_US, scored_us) is expected


def test_no_row_never_counts():
    assert not is_valid(VIEW, 0, 1)


@given(
    st.lists(st.integers(0, 3 * DAY_US) | st.just(0), min_size=1, max_size=5),
    st.integers(1, 4 * DAY_US),
)
def test_many_rows_count_as_each_one_alone(event_us, scored_us):
    together = are_valid(np.array([event_us]), np.array([VIEW.ttl_us]), scored_us)[0].tolist()
    assert together == [is_valid(VIEW, each, scored_us) for each in event_us]
