"""Rolling windows end at the moment asked about, and their sources know only what lies before them."""

from datetime import UTC, datetime, timedelta

import pytest

from training.stage_two.windows import BadWindows, midnight_before, rolling_windows
from training.stage_two.windows import test_start as windows_test_start

UNTIL = datetime(2024, 3, 31, tzinfo=UTC)
PARAMS = {"days": 3, "every_days": 3, "train": 3, "validation": 1, "test": 1, "fit_every": 2}


def day(number: int) -> datetime:
    return datetime(2024, 3, number, tzinfo=UTC)


def test_the_newest_window_ends_at_the_moment_asked_about():
    found = rolling_windows(UNTIL, PARAMS, datetime(2024, 1, 1, tzinfo=UTC))
    assert [(window.split, window.start.day, window.end.day) for window in found] == [
        ("train", 16, 19),
        ("train", 19, 22),
        ("train", 22, 25),
        ("validation", 25, 28),
        ("test", 28, 31),
    ]


def test_windows_that_share_sources_have_them_from_before_the_first():
    found = rolling_windows(UNTIL, PARAMS, datetime(2024, 1, 1, tzinfo=UTC))
    assert [window.fitted_at.day for window in found] == [16, 19, 19, 25, 25]
    assert all(window.fitted_at <= window.start for window in found)


def test_windows_may_leave_days_out():
    found = rolling_windows(UNTIL, {**PARAMS, "every_days": 7}, datetime(2024, 1, 1, tzinfo=UTC))
    assert [window.start.day for window in found] == [29, 7, 14, 21, 28]


def test_a_short_log_has_fewer_windows_of_train():
    found = rolling_windows(UNTIL, PARAMS, day(17))
    assert [window.split for window in found] == ["train", "validation", "test"]
    assert found[0].start == day(22)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"days": 0}, "must be at least 1"),
        ({"every_days": 2}, "windows overlap"),
    ],
)
def test_windows_that_cannot_be_are_refused(change, message):
    with pytest.raises(BadWindows, match=message):
        rolling_windows(UNTIL, PARAMS | change, day(1))


def test_a_log_that_is_too_short_is_refused_with_its_days():
    with pytest.raises(BadWindows, match="the log has 9 days: too few for 3 windows of 3 days"):
        rolling_windows(UNTIL, PARAMS, UNTIL - timedelta(days=9))


def test_midnight_before_is_in_utc_and_not_after():
    assert midnight_before(datetime.fromisoformat("2024-03-02T01:00:00+02:00")) == day(1)
    assert midnight_before(day(2)) == day(2)


def test_the_test_windows_start_where_the_other_ones_have_ended():
    for changed in ({"test": 1}, {"test": 2}, {"test": 2, "every_days": 7}):
        params = {**PARAMS, **changed}
        found = rolling_windows(UNTIL, params, datetime(2024, 1, 1, tzinfo=UTC))
        start = windows_test_start(UNTIL, params)
        assert start == min(window.start for window in found if window.split == "test")
        assert all(window.end <= start for window in found if window.split != "test")
