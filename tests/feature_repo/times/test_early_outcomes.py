"""Outcomes that stand before their slate, on logs small enough to count by hand."""

from datetime import timedelta

import duckdb
import pytest

from feature_repo.build.log_views import open_log
from feature_repo.times.early_outcomes import EarlyOutcomes, early_outcomes
from infra.settings import Settings
from tests.small_log import at, event, impression, item, write_log

SLATES = 6


@pytest.fixture
def count(tmp_path):
    def of(events, *, label=3, slates=SLATES) -> EarlyOutcomes:
        """Slates at noon of days 1, 2, … with item a, which has the label, and item b; each is a session of its own."""
        impressions = [
            impression(f"l{day}", position, at(day, 43_200), each, label * (each == "a"), session_id=f"s{day}")
            for day in range(1, slates + 1)
            for position, each in enumerate("ab")
        ]
        settings = Settings(_env_file=None, data_dir=tmp_path, state_dir=tmp_path / "var", dataset="tiny")
        write_log(settings.log_dir, items=[item("a"), item("b")], events=events, impressions=impressions)
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            open_log(connection, settings, [])
            return early_outcomes(connection)

    return of


def after_each_slate(action="order", seconds=60.0, slates=SLATES, first=0, **fields):
    days = range(1, slates + 1)
    return [
        event(first + d, at(d, 43_200) + timedelta(seconds=seconds), action, "a", **{"session_id": f"s{d}", **fields})
        for d in days
    ]


def test_orders_after_their_slate_are_not_early(count):
    found = count(after_each_slate())
    assert (found.outcomes, found.early, found.too_many) == (SLATES, 0, False)


def test_orders_that_are_all_half_an_hour_too_early_are_found(count):
    found = count(after_each_slate(seconds=60 - 1800))
    assert (found.outcomes, found.early, found.too_many) == (SLATES, SLATES, True)
    assert "6 of 6 positives (100%)" in str(found)


def test_an_event_at_the_time_of_the_slate_is_not_early(count):
    assert count(after_each_slate(seconds=0)).early == 0


def test_a_view_before_the_slate_is_normal_where_the_label_is_the_order(count):
    views = after_each_slate("view", seconds=-600, first=100)
    found = count([*views, *after_each_slate()])
    assert (found.outcomes, found.early) == (SLATES, 0)


def test_an_order_on_the_day_before_and_another_after_the_slate_is_normal(count):
    assert count([*after_each_slate(seconds=-86_000, first=100), *after_each_slate()]).early == 0


def test_an_order_of_last_week_is_no_outcome_of_this_slate(count):
    assert count(after_each_slate(seconds=-7 * 86_400, slates=1, user_id="v")).outcomes == 0


def test_an_early_order_counts_by_the_user_in_another_session_and_by_the_session_of_another_user(count):
    by_user = after_each_slate(seconds=-1800, session_id="elsewhere")
    assert count(by_user).early == SLATES
    assert count(after_each_slate(seconds=-1800, user_id="somebody")).early == SLATES
    assert count(after_each_slate(seconds=-1800, user_id="somebody", session_id="elsewhere")).outcomes == 0


def test_an_action_that_few_positives_have_is_not_their_outcome(count):
    found = count([*after_each_slate("view", 30), *after_each_slate("order", -600, slates=2, first=100)])
    assert (found.outcomes, found.early) == (SLATES, 0)


def test_a_few_early_outcomes_are_tolerated(count):
    early, late = after_each_slate(seconds=-600, slates=4), after_each_slate(slates=8, first=100)[4:]
    found = count([*early, *late], slates=8)
    assert (found.outcomes, found.early, found.too_many) == (8, 4, False)


def test_a_log_without_events_has_no_outcomes(count):
    found = count([])
    assert (found.outcomes, found.early, found.too_many) == (0, 0, False)
