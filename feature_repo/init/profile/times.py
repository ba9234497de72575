"""Whether values are times: numbers since 1970 by their size, ISO 8601, or a format that all texts have.

A format that reads the day and the month the wrong way round fails at the first 13. Where no value tells, both fit.
"""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb

from feature_repo.datasets.files.reading.sql_text import literal, quoted
from feature_repo.init.profile.column import Times
from feature_repo.init.thresholds import EPOCH_SECONDS, MANY_DATES, TYPE_SHARE, UNITS

DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d",
    "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%Y", "%m.%d.%Y",
    "%d/%m/%y", "%m/%d/%y", "%d-%m-%y", "%m-%d-%y", "%d.%m.%y", "%m.%d.%y",
    "%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d/%b/%Y", "%d-%b-%y",
    "%a %b %d %H:%M:%S %Y", "%a, %d %b %Y",
)  # fmt: skip
CLOCKS = (
    "", " %H:%M:%S", " %H:%M", "T%H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", ":%H:%M:%S", " %H%M%S",
    " %H:%M:%S %z", "T%H:%M:%S%z", ":%H:%M:%S %z",
)  # fmt: skip
ISO = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?)?( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?"
ZONED = r".*(Z|UTC|:\d{2}([.,]\d+)?[+-]\d{2}(:?\d{2})?)"
EARLIEST = EPOCH_SECONDS[0] - 50 * 365 * 86_400
DIGITS = r".*\d.*\d.*"


def epoch_times(low: float, high: float) -> Times | None:
    """Numbers from ``low`` to ``high`` as times since 1970, in the only unit that puts them into 1995 to 2040."""
    for unit, factor in UNITS.items():
        first, last = (bound * factor for bound in EPOCH_SECONDS)
        if first <= low and high <= last:
            return Times(_instant(low / factor), _instant(high / factor), unit=unit, zoned=True)
    return None


def text_times(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> Times | None:
    """The texts of a column as times, or None."""
    name = quoted(column)
    texts = f"(SELECT DISTINCT {name} AS v FROM {table} WHERE {name} IS NOT NULL LIMIT {MANY_DATES})"
    plausible, iso, count = _row(
        connection,
        f"SELECT avg(regexp_full_match(v, '{DIGITS}')::INT), avg(regexp_full_match(v, '{ISO}')::INT), count(*) "
        f"FROM {texts}",
    )
    if not count or plausible < TYPE_SHARE:
        return None
    if iso >= TYPE_SHARE and (found := _iso(connection, texts)) is not None:
        return found
    return _formatted(connection, texts)


def _iso(connection: duckdb.DuckDBPyConnection, texts: str) -> Times | None:
    at = "TRY_CAST(v AS TIMESTAMPTZ)"
    read, first, last, zoned = _row(
        connection,
        f"SELECT count({at}) / count(*), epoch(min({at})), epoch(max({at})), avg(regexp_full_match(v, '{ZONED}')::INT) "
        f"FROM {texts}",
    )
    return Times(_instant(first), _instant(last), zoned=zoned >= TYPE_SHARE) if read >= TYPE_SHARE else None


def _formatted(connection: duckdb.DuckDBPyConnection, texts: str) -> Times | None:
    """All formats that read every text. Tried on a few first, because most fail there."""
    tried = [date + clock for date in DATES for clock in CLOCKS if not (clock and "%H" in date)]
    for share, some in ((TYPE_SHARE, f"(SELECT v FROM {texts} LIMIT 50)"), (TYPE_SHARE, texts)):
        if not tried:
            return None
        reads = ", ".join(f"count(try_strptime(v, {literal(each)})) / count(*)" for each in tried)
        shares = _row(connection, f"SELECT {reads} FROM {some}")
        tried = [each for each, read in zip(tried, shares, strict=True) if read >= share]
    spans = {each: _span(connection, texts, each) for each in tried}
    plausible = [each for each, (first, last) in spans.items() if first >= EARLIEST and last <= EPOCH_SECONDS[1]]
    if not plausible:
        return None
    first, last = spans[plausible[0]]
    return Times(
        _instant(first), _instant(last), formats=tuple(_without_doubles(plausible)), zoned="%z" in plausible[0]
    )


def _span(connection: duckdb.DuckDBPyConnection, texts: str, written: str) -> tuple[float, ...]:
    """The first and the last time under a format, in seconds since 1970. A year 19 instead of 2019 shows here."""
    at = f"try_strptime(v, {literal(written)})"
    return _row(connection, f"SELECT epoch(min({at})), epoch(max({at})) FROM {texts}")


def _without_doubles(formats: list[str]) -> list[str]:
    """A year of four digits is read by %y, too, by some readers, and a fraction by more than one format."""
    return [each for each in formats if each.replace("%y", "%Y") == each or each.replace("%y", "%Y") not in formats]


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _row(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[float, ...]:
    found = connection.execute(sql).fetchone()
    assert found is not None
    return tuple(each if each is not None else 0.0 for each in found)
