"""Reads a CSV file strictly with DuckDB: a value that its column does not allow raises BadSource."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import duckdb

from feature_repo.datasets.errors import BadSource

FLAG = """CASE
    WHEN lower(trim(value)) IN ('true', '1', '1.0') THEN 1
    WHEN lower(trim(value)) IN ('false', '0', '0.0') THEN 0
END"""
BIGINT = "CASE WHEN regexp_full_match(trim(value), '[+-]?[0-9]+') THEN TRY_CAST(value AS BIGINT) END"
WHOLE = r"CASE WHEN regexp_full_match(trim(value), '[0-9]+(\.0*)?') THEN TRY_CAST(value AS INTEGER) END"
UUID = "lower(TRY_CAST(trim(value) AS UUID)::VARCHAR)"
REAL = "CASE WHEN isfinite(TRY_CAST(value AS DOUBLE)) THEN TRY_CAST(value AS FLOAT) END"


@dataclass(frozen=True)
class SourceColumn:
    """A CSV column. ``parse`` is SQL over ``value`` (VARCHAR); it is null where the text is not allowed.

    ``wanted`` describes the allowed values in errors. ``low`` and ``high`` are inclusive; ``low`` None means no range.
    """

    name: str
    parse: str
    wanted: str
    nullable: bool = False
    low: float | None = None
    high: float = 1e9


def read_csv(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    table: str,
    columns: tuple[SourceColumn, ...],
    alias: tuple[str, str],
    where: str = "true",
    delimiter: str = ",",
) -> None:
    """Create ``table`` with the parsed columns and ``row``, the number of the data row from 1.

    ``alias`` = (theirs, ours): a part of column names that the file may spell differently. ``where`` is SQL over the
    columns as text; other rows are neither checked nor held in memory. Other columns are not checked either.
    Raises BadSource.
    """
    header = _header(path, delimiter)
    spelled = _spellings(path, header, columns, alias)
    chosen = ", ".join(f"c{header.index(spelled[c.name])} AS {c.name}" for c in columns)
    types = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(header)))
    try:
        connection.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE {table}_text AS
            SELECT * FROM (
                SELECT row_number() OVER () AS row, {chosen}
                FROM read_csv(?, header = true, columns = {{{types}}}, auto_detect = false, delim = '{delimiter}',
                    quote = '"', escape = '"', null_padding = false)
            ) WHERE {where}
            """,
            [str(path)],
        )
    except duckdb.Error as error:
        raise unreadable(path, str(error)) from error
    if where == "true" and connection.execute(f"SELECT count(*) FROM {table}_text").fetchall()[0][0] == 0:
        raise BadSource(path, "the file holds no rows")
    for column in columns:
        _refuse_bad_value(connection, path, table, column, spelled[column.name])
    parsed = ", ".join(f"{_parse(c)} AS {c.name}" for c in columns)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT row, {parsed} FROM {table}_text")
    connection.execute(f"DROP TABLE {table}_text")


def _header(path: Path, delimiter: str) -> list[str]:
    try:
        with path.open("rb") as file:
            header = next(csv.reader([file.readline().decode("utf-8-sig")], delimiter=delimiter), [])
    except (OSError, UnicodeDecodeError) as error:
        raise BadSource(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not header:
        raise BadSource(path, "the file is empty: the header is missing")
    return header


def _spellings(
    path: Path, header: list[str], columns: tuple[SourceColumn, ...], alias: tuple[str, str]
) -> dict[str, str]:
    """Our column name -> its name in the header."""
    found = {}
    for column in columns:
        names = [name for name in header if name.strip().replace(*alias) == column.name]
        if len(names) != 1:
            problem = "the column is missing" if not names else f"the header names the column {len(names)} times"
            raise BadSource(path, problem, column=column.name)
        found[column.name] = names[0]
    return found


def unreadable(path: Path, message: str) -> BadSource:
    """DuckDB counts the header as line 1."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    line = re.search(r"CSV Error on Line: (\d+)", message)
    reason = next((text for text in lines[1:] if not text.startswith("Original Line")), lines[0])
    return BadSource(path, reason, row=int(line.group(1)) - 1 if line else None)


def _parse(column: SourceColumn) -> str:
    return re.sub(r"\bvalue\b", column.name, column.parse)


def _refuse_bad_value(
    connection: duckdb.DuckDBPyConnection, path: Path, table: str, column: SourceColumn, spelled: str
) -> None:
    bad = f"{column.name} IS NOT NULL AND parsed IS NULL"
    if not column.nullable:
        bad += f" OR {column.name} IS NULL"
    if column.low is not None:
        bad += f" OR parsed < {column.low} OR parsed > {column.high}"
    found = connection.execute(
        f"SELECT row, {column.name} FROM (SELECT row, {column.name}, {_parse(column)} AS parsed FROM {table}_text) "
        f"WHERE {bad} ORDER BY row LIMIT 1"
    ).fetchall()
    if found:
        row, value = found[0]
        shown = "the value is missing" if value is None else f"the value {value!r} is not allowed"
        raise BadSource(path, f"{shown}; it must be {column.wanted}", column=spelled, row=row)
