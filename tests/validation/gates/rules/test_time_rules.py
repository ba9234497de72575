"""Times that cannot be: the unit, the span, one time for all, and a catalog that comes too late."""

from datetime import timedelta

import pytest

from tests.small_log import START, at, event, impression, item
from tests.validation.gates.measured import broken
from validation.gates.rules.thresholds import MIN_TIMES
from validation.gates.rules.time_rules import time_rules

EVENTS, SLATES = "blocking events.event_ts: read in its own unit", "blocking impressions.shown_ts: read in its own unit"
ONE_TIME = "blocking impressions.shown_ts: more than one time"
NEVER = "blocking items.valid_from_ts: before some impression of its item"
LATE = "warning items.valid_from_ts: not after the item is shown (at least 90% of impressions)"


def log(events=(), slates=(), catalog=START - timedelta(days=1)):
    """``events``, ``slates``: their times, or µs since 1970."""
    impressions = [impression(f"l{n}", 0, time, "a") for n, time in enumerate(slates)]
    return broken(
        time_rules(),
        [item("a", valid_from_ts=catalog)],
        [event(n, time, "view", "a") for n, time in enumerate(events)],
        impressions,
    )


def us(days: float) -> int:
    return int(at(days).timestamp()) * 1_000_000


def test_plausible_times_break_no_rule():
    assert log([at(n) for n in range(5)], [at(n) for n in range(5)]) == {}


@pytest.mark.parametrize(
    ("factor", "text"),
    [(1e-3, "milliseconds read as microseconds"), (1e-6, "seconds read as microseconds"), (1e3, "as seconds")],
)
def test_times_in_another_unit_are_blocked_with_the_probable_unit_and_date(factor, text):
    times = [int(us(n) * factor) for n in range(5)]
    found = log(events=times)
    assert list(found) == [EVENTS]
    assert text in found[EVENTS]
    assert "half of them would be before 2024-03-0" in found[EVENTS]


def test_slates_in_another_unit_are_named_by_their_own_rule():
    found = log(slates=[us(n) // 1000 for n in range(5)], catalog=0)
    assert list(found) == [SLATES]
    assert "5 rows from 1970-01-20" in found[SLATES]


def test_a_few_rows_of_1970_are_left_to_the_limits():
    assert log(events=[*(at(n) for n in range(5)), 0]) == {}


def test_thousands_of_events_within_minutes_are_blocked_with_the_unit():
    """A year of seconds since its start, read as microseconds."""
    times = [us(0) + round(second) for second in (n * 365 * 86_400 / MIN_TIMES for n in range(MIN_TIMES))]
    found = log(events=times)
    assert list(found) == [EVENTS]
    assert found[EVENTS].startswith(
        "all 2,000 within 31.5 s; probably seconds read as microseconds: the log would be 364"
    )
    assert log(events=times[:-1]) == {}


def test_thousands_of_events_of_one_time_are_blocked_though_no_unit_explains_them():
    assert log(events=[at(0)] * MIN_TIMES) == {EVENTS: "all 2,000 within 0.0 s"}
    assert list(log(slates=[at(1)] * MIN_TIMES)) == [ONE_TIME]


def test_a_busy_quarter_of_an_hour_is_a_log():
    assert log(events=[at(0, n * 900 / MIN_TIMES) for n in range(MIN_TIMES + 1)]) == {}


def test_a_log_of_the_nineties_is_a_warning_as_no_unit_explains_it():
    """MovieLens 100k is of 1997."""
    found = log(events=[at(-9_500 - n) for n in range(3)])
    assert list(found) == ["warning events.event_ts: of 2000 or later"]


def test_slates_that_are_all_of_one_time_are_blocked():
    found = log(slates=[at(1)] * 3)
    assert found == {ONE_TIME: "all 3 slates are shown at 2024-03-02 00:00:00 UTC, so none is before another"}
    assert log(slates=[at(1)]) == {}


def test_a_catalog_that_is_dated_after_all_slates_is_blocked():
    found = log(slates=[at(1), at(2)], catalog=at(3))
    assert list(found) == [NEVER]
    assert found[NEVER].startswith(
        "2 of 2 rows (100%) show an item before its first valid_from_ts; the first slate is of"
    )


def test_a_catalog_in_the_middle_of_the_log_is_a_warning_with_its_share():
    found = log(slates=[at(n) for n in range(4)], catalog=at(1))
    assert list(found) == [LATE]
    assert found[LATE].startswith("1 of 4 rows (25%)")
    assert log(slates=[at(n) for n in range(10)], catalog=at(1)) == {}
