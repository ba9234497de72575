"""Times: units, formats, zones and daylight saving."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest

from feature_repo.datasets.errors import DatasetError
from feature_repo.datasets.files.mapping import Values
from feature_repo.datasets.files.reading.source_files import SourceColumn
from feature_repo.datasets.files.reading.times import time_of, what_it_takes
from tests.feature_repo.datasets.files.own_files import OwnFiles

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def read(content: str, kind: str = "VARCHAR", **values: Any) -> Any:
    """The time that a column ``t`` of DuckDB's type ``kind`` holds."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    sql = time_of("t::VARCHAR", SourceColumn("t", kind), Values(source=("t",), **values))
    return connection.execute(f"SELECT {sql} FROM (SELECT '{content}'::{kind} AS t)").fetchall()[0][0]


@pytest.mark.parametrize(
    ("content", "kind", "values"),
    [
        ("1714564800", "VARCHAR", {"unit": "s"}),
        ("1714564800.0", "VARCHAR", {"unit": "s"}),
        ("1714564800", "BIGINT", {"unit": "s"}),
        ("1714564800", "DOUBLE", {"unit": "s"}),
        ("1714564800000", "VARCHAR", {"unit": "ms"}),
        ("1714564800000000", "VARCHAR", {"unit": "us"}),
        ("1714564800000000000", "VARCHAR", {"unit": "ns"}),
        ("1714564800000000000", "BIGINT", {"unit": "ns"}),
        ("2024-05-01T12:00:00Z", "VARCHAR", {}),
        ("2024-05-01 12:00:00", "VARCHAR", {}),
        ("2024-05-01 12:00:00 UTC", "VARCHAR", {}),
        ("2024-05-01T14:00:00+02:00", "VARCHAR", {}),
        ("2024-05-01 14:00:00 +0200", "VARCHAR", {}),
        ("2024-05-01 14:00:00", "VARCHAR", {"zone": "Europe/Paris"}),
        ("2024-05-01T12:00:00Z", "VARCHAR", {"zone": "Europe/Paris"}),
        ("2024-05-01 14:00:00", "TIMESTAMP", {"zone": "Europe/Paris"}),
        ("2024-05-01 14:00:00", "TIMESTAMP_NS", {"zone": "Europe/Paris"}),
        ("2024-05-01 14:00:00+02:00", "TIMESTAMP WITH TIME ZONE", {"zone": "America/New_York"}),
        ("01/05/2024 12:00", "VARCHAR", {"format": "%d/%m/%Y %H:%M"}),
        ("01/05/2024 13:00", "VARCHAR", {"format": "%d/%m/%Y %H:%M", "zone": "Europe/London"}),
        ("01/05/2024 14:00 +0200", "VARCHAR", {"format": "%d/%m/%Y %H:%M %z"}),
        ("2024050112", "VARCHAR", {"format": "%Y%m%d%H"}),
    ],
)
def test_noon_is_read_however_it_is_written(content: str, kind: str, values: dict[str, Any]) -> None:
    assert read(content, kind, **values) == NOON


def test_fractions_of_a_second_stay() -> None:
    assert read("1714564800.25", unit="s") == NOON.replace(microsecond=250_000)
    assert read("1714564800123456", unit="us") == NOON.replace(microsecond=123_456)


def test_a_date_is_its_midnight() -> None:
    assert read("2024-05-01", zone="America/New_York") == datetime(2024, 5, 1, 4, tzinfo=UTC)
    assert read("2024-05-01", "DATE") == datetime(2024, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2024-01-15 13:00", (1, 15, 12, 0)),  # winter: an hour ahead
        ("2024-07-15 13:00", (7, 15, 11, 0)),  # summer: two
        ("2024-03-31 02:30", (3, 31, 1, 30)),  # left out: an hour later, 03:30 of summer time
        ("2024-10-27 02:30", (10, 27, 1, 30)),  # twice: the second, of standard time
    ],
)
def test_local_times_follow_daylight_saving(local: str, utc: tuple[int, int, int, int]) -> None:
    assert read(local, zone="Europe/Paris") == datetime(2024, *utc, tzinfo=UTC)


@pytest.mark.parametrize(
    ("content", "kind", "values", "what_to_write"),
    [
        ("noon", "VARCHAR", {"unit": "s"}, "a number of s since 1970"),
        ("99999999999999", "VARCHAR", {"unit": "s"}, "a number of s since 1970"),
        ("1714564800", "VARCHAR", {}, "a number its unit: s, ms"),
        ("1714564800", "BIGINT", {}, "a time since 1970 needs its unit, e.g. unit: s"),
        ("01/05/2024", "VARCHAR", {}, "other text needs its format, e.g. format: '%d/%m/%Y"),
        ("05/13/2024", "VARCHAR", {"format": "%d/%m/%Y"}, "as the format %d/%m/%Y has it"),
    ],
)
def test_what_is_no_time_is_null_and_the_message_says_what_to_write(
    content: str, kind: str, values: dict[str, Any], what_to_write: str
) -> None:
    assert read(content, kind, **values) is None
    assert what_to_write in what_it_takes(SourceColumn("t", kind), Values(source=("t",), **values))


def test_a_zone_that_is_not_known_is_refused() -> None:
    with pytest.raises(DatasetError, match="the mapping's zone 'Mars/Olympus' is not known"):
        read("2024-05-01", zone="Mars/Olympus")


def test_a_date_and_a_time_of_two_columns_are_joined(own: OwnFiles) -> None:
    columns = "{item_id: {value: a}, event_ts: {from: [d, h], format: '%Y-%m-%d|%H:%M'}, action: {value: view}}"
    log = own.events("d,h\n2024-05-01,12:00\n", columns)
    assert log.column("SELECT event_ts FROM events") == [NOON]


def test_a_wrong_unit_is_refused_with_file_column_row_and_value(own: OwnFiles) -> None:
    """Milliseconds read as microseconds are days of 1970."""
    columns = "{item_id: {value: a}, event_ts: {from: t, unit: us}, action: {value: view}}"
    with pytest.raises(DatasetError) as refusal:
        own.events("t\n1714564800000\n", columns)
    assert "events.csv, column 't (event_ts)', row 1: '1714564800000' is not from 1990 until 2100; " in str(
        refusal.value
    )
    assert "a number since 1970 needs its unit: s, ms, us or ns" in str(refusal.value)
