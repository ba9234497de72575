"""SQL of a time, as TIMESTAMPTZ, from how the user's files write it.

A local time that a change to summer time leaves out is an hour later, as clocks then are. One that comes twice in
autumn is the second of the two, in standard time.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

from feature_repo.datasets.errors import DatasetError
from feature_repo.datasets.files.mapping import Values
from feature_repo.datasets.files.reading.source_files import SourceColumn
from feature_repo.datasets.files.reading.sql_text import literal
from feature_repo.datasets.files.reading.texts import is_number

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
ZONED_TYPES = ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS")
_FARTHEST_US = 9_000_000_000_000_000  # the year 2255: of what DuckDB can hold, and far beyond what a log may hold
# A time of day, then Z, UTC, +02, +0200 or +02:00.
_HAS_ZONE = r"[0-9]:[0-9]{2}.*(Z|z|UTC|GMT|[+-][0-9]{2}(:?[0-9]{2})?)\s*$"


def time_of(text: str, column: SourceColumn | None, values: Values) -> str:
    """``text``: SQL of the value as text. ``column``: the only source, whose type counts; None: there are several.

    Raises DatasetError for a zone that is not known.
    """
    zone = literal(_zone(values.zone or "UTC"))
    kind = column.type if column is not None and not column.is_list and values.cut is None else "VARCHAR"
    if values.unit is not None:
        naive = _since_1970(text if kind == "VARCHAR" or column is None else column.sql, values.unit)
        return f"timezone({zone}, {naive})"
    if column is not None and kind in ZONED_TYPES:
        return f"{column.sql}::TIMESTAMPTZ"
    if column is not None and (kind.startswith("TIMESTAMP") or kind == "DATE"):
        return f"timezone({zone}, {column.sql}::TIMESTAMP)"
    if is_number(kind):
        return "NULL::TIMESTAMPTZ"
    if values.format is not None:
        parsed = f"try_strptime(trim({text}), {literal(values.format)})"
        return parsed if "%z" in values.format or "%Z" in values.format else f"timezone({zone}, {parsed})"
    local = f"timezone({zone}, TRY_CAST({text} AS TIMESTAMP))"
    aware = rf"TRY_CAST(regexp_replace(trim({text}), '\s+([+-][0-9:]+)$', '\1') AS TIMESTAMPTZ)"
    return f"CASE WHEN regexp_matches({text}, '{_HAS_ZONE}') THEN {aware} ELSE {local} END"


def what_it_takes(column: SourceColumn | None, values: Values) -> str:
    """What to write into the mapping where a value is no time."""
    if values.unit is not None:
        return f"a number of {values.unit} since 1970"
    if values.format is not None:
        return f"as the format {values.format} has it"
    if column is not None and is_number(column.type):
        return "a time since 1970 needs its unit, e.g. unit: s"
    return (
        "a time is ISO 8601; other text needs its format, e.g. format: '%d/%m/%Y %H:%M', and a number its unit: s, ms; "
        "a row without a time has to leave the file"
    )


def _since_1970(number: str, unit: str) -> str:
    """A timestamp without a zone. Nanoseconds have more digits than a DOUBLE."""
    per = _PER_SECOND[unit]
    exact = f"TRY_CAST({number} AS DECIMAL(30,6))"
    micros = f"{exact} * {1_000_000 // per}" if per <= 1_000_000 else f"{exact} / {per // 1_000_000}"
    whole = f"TRY_CAST(floor({micros}) AS BIGINT)"
    return f"CASE WHEN {whole} BETWEEN {-_FARTHEST_US} AND {_FARTHEST_US} THEN make_timestamp({whole}) END"


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (KeyError, OSError, ValueError) as error:
        raise DatasetError(f"the mapping's zone {name!r} is not known; it is a name like Europe/Paris") from error
