"""When the rows of a table are dated, and whether times of that kind are plausible."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

COLUMNS = (("events", "event_ts"), ("impressions", "shown_ts"), ("items", "valid_from_ts"))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
        return timedelta(microseconds=self.last_us - self.first_us)

    @property
    def first(self) -> datetime:
        return EPOCH + timedelta(microseconds=self.first_us)

    @property
    def last(self) -> datetime:
        return EPOCH + timedelta(microseconds=self.last_us)


def time_span(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> TimeSpan:
    rows, instants, *times = connection.execute(
        f"""
        SELECT count(*), count(DISTINCT {column}), min(us), quantile_disc(us, 0.5), max(us)
        FROM (SELECT {column}, epoch_us({column}) AS us FROM {table} WHERE {column} IS NOT NULL)
        """
    ).fetchall()[0]
    return TimeSpan(table, column, rows, instants, *(time or 0 for time in times))
