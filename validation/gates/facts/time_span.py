"""When the rows of a table are dated, and whether times of that kind are plausible."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

COLUMNS = (("events", "event_ts"), ("impressions", "shown_ts"), ("items", "valid_from_ts"))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST, LAST = (datetime(year, 1, 1, tzinfo=UTC) for year in (1, 9999))


@dataclass(frozen=True)
class TimeSpan:
    """``instants``: distinct timestamps. The others are µs since 1970, and 0 for an empty table."""

    table: str
    column: str
    rows: int
    instants: int
    first_us: int
    median_us: int
    last_us: int

    @property
    def length(self) -> timedelta:
        return self.last - self.first

    @property
    def first(self) -> datetime:
        return instant(self.first_us)

    @property
    def last(self) -> datetime:
        return instant(self.last_us)


def instant(us: int) -> datetime:
    """µs since 1970 as a timestamp; what Python's calendar does not hold is its FIRST or LAST."""
    if us < (FIRST - EPOCH) // timedelta(microseconds=1):
        return FIRST
    if us > (LAST - EPOCH) // timedelta(microseconds=1):
        return LAST
    return EPOCH + timedelta(microseconds=us)


def time_span(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> TimeSpan:
    rows, instants, *times = connection.execute(
        f"""
        SELECT count(*), count(DISTINCT {column}), min(us), quantile_disc(us, 0.5), max(us)
        FROM (SELECT {column}, epoch_us({column}) AS us FROM {table} WHERE {column} IS NOT NULL)
        """
    ).fetchall()[0]
    return TimeSpan(table, column, rows, instants, *(time or 0 for time in times))
