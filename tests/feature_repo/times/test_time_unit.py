"""The unit of timestamps, by what a date becomes when it is read in another."""

from datetime import UTC, datetime

import duckdb
import pytest

from feature_repo.times.time_unit import meant, misreading, unit_hint, unit_hint_sql

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MEANT = datetime(2024, 3, 1, 12, tzinfo=UTC)
SECONDS = int(MEANT.timestamp())


@pytest.mark.parametrize(
    ("read_us", "text"),
    [
        (SECONDS * 1_000, "milliseconds read as microseconds"),
        (SECONDS, "seconds read as microseconds"),
        (SECONDS // 1_000, "seconds read as nanoseconds"),
        (SECONDS // 86_400, "days since 1970"),
        (SECONDS * 10**9, "milliseconds read as seconds"),
        (SECONDS * 10**12, "microseconds read as seconds"),
    ],
)
def test_a_date_that_was_read_in_another_unit_is_recognised_with_what_was_meant(read_us, text):
    found = misreading(read_us, NOW)
    assert found is not None
    assert text in found.text
    assert abs((meant(read_us, found) - MEANT).total_seconds()) < 86_400


@pytest.mark.parametrize("year", [2000, 2013, 2025])
def test_plausible_dates_are_left_alone(year):
    assert misreading(int(datetime(year, 6, 1, tzinfo=UTC).timestamp() * 1e6), NOW) is None


def test_real_dates_of_the_nineties_are_explained_by_no_unit():
    """MovieLens 100k is of 1997 and 1998."""
    assert misreading(int(datetime(1997, 11, 1, tzinfo=UTC).timestamp() * 1e6), NOW) is None


def test_a_refusal_names_the_probable_unit_and_the_date_or_says_nothing():
    assert unit_hint(SECONDS * 1_000) == (
        "; probably milliseconds read as microseconds, or seconds read as milliseconds, and it would be of 2024-03-01"
    )
    assert unit_hint(int(datetime(1985, 1, 1, tzinfo=UTC).timestamp() * 1e6)) == ""
    assert unit_hint(None) == ""


def test_the_hint_in_sql_is_the_hint() -> None:
    values = [SECONDS, SECONDS * 1_000, SECONDS * 1_000_000, SECONDS * 10**9, 19_000, -5]
    with duckdb.connect() as connection:
        for us in values:
            (found,) = connection.execute(f"SELECT {unit_hint_sql(f'{us}::BIGINT')}").fetchall()[0]
            assert found == unit_hint(us)
