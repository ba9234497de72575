"""Checks of a user's own parquet files, before anything is written. Each check raises BadSource."""

from __future__ import annotations

from pathlib import Path

import duckdb

from feature_repo.datasets.column_checks import column_checks
from feature_repo.datasets.errors import BadSource
from feature_repo.datasets.log_writer import duckdb_type
from feature_repo.schema import Column, Declaration, DType, Table
from feature_repo.times.time_unit import unit_hint

SOURCE = "source_rows"  # the view over the unchanged file
ROW = "file_row_number"  # the row number in the file, from 0
GROUP_OF = {"items": "item_extras", "impressions": "facts (numbers) or context (strings)"}
_FLOATING = ("FLOAT", "DOUBLE", "DECIMAL")
QUOTE = "'"
_NESTED = ("STRUCT", "MAP", "UNION", "[]", "BLOB")


def check_columns(path: Path, table: Table, found: set[str], derivable: set[str]) -> None:
    """Check that required columns exist, except those in ``derivable``, and that every column is declared."""
    for column in table.columns:
        if column.name not in found and not column.nullable and column.name not in derivable:
            raise BadSource(path, f"the column is missing: {column.description}", column=column.name)
    undeclared = sorted(found - {column.name for column in table.columns})
    if undeclared:
        group = GROUP_OF.get(table.name)
        remedy = f"declare it in dataset.json under {group}, or drop it" if group else "drop it"
        raise BadSource(path, f"the column is not declared: {remedy}", column=undeclared[0])


def check_column(connection: duckdb.DuckDBPyConnection, path: Path, column: Column, source_type: str) -> None:
    nested = any(mark in source_type for mark in _NESTED)
    if nested or (column.dtype is DType.STRING and source_type.startswith(_FLOATING)):
        wanted = "strings or integers" if column.dtype is DType.STRING else column.dtype.value
        raise BadSource(path, f"the type is {source_type}; it must be {wanted}", column=column.name)
    us = f'epoch_us(TRY_CAST("{column.name}" AS TIMESTAMPTZ))' if column.dtype is DType.TIMESTAMP else "NULL"
    found = connection.execute(
        f"""
        SELECT {ROW} + 1, "{column.name}"::VARCHAR, problem, {us} FROM (
            SELECT {ROW}, "{column.name}", {_problem(column, source_type)} AS problem FROM {SOURCE}
        ) WHERE problem IS NOT NULL ORDER BY {ROW} LIMIT 1
        """
    ).fetchall()
    if found:
        row, value, problem, us_found = found[0]
        shown = "null is not allowed" if value is None else f"{value!r} {problem}{unit_hint(us_found)}"
        raise BadSource(path, shown, column=column.name, row=row)


def _problem(column: Column, source_type: str) -> str:
    """SQL that describes what is wrong with the value; null if the value is allowed."""
    value = f'"{column.name}"'
    cast = f"TRY_CAST({value} AS {duckdb_type(column.dtype)})"
    cases = [] if column.nullable else [f"WHEN {value} IS NULL THEN 'null'"]
    cases.append(f"WHEN {value} IS NULL THEN NULL")
    if column.dtype is DType.FLOAT32 or source_type in ("FLOAT", "DOUBLE"):
        cases.append(f"WHEN NOT isfinite(TRY_CAST({value} AS DOUBLE)) THEN 'is not finite'")
    cases.append(f"WHEN {cast} IS NULL THEN 'cannot be a {column.dtype.value}'")
    if column.dtype is DType.TIMESTAMP:
        cases.append(f"WHEN NOT isfinite({cast}) THEN 'is not finite'")
    if column.dtype in (DType.INT32, DType.INT64):
        cases.append(f"WHEN TRY_CAST({value} AS DOUBLE) <> trunc(TRY_CAST({value} AS DOUBLE)) THEN 'is not whole'")
    for check in column_checks(column, cast):
        cases.append(f"WHEN {check.breaks} THEN 'is not {check.text.replace(QUOTE, QUOTE * 2)}'")
    return f"CASE {' '.join(cases)} END"


def check_key(connection: duckdb.DuckDBPyConnection, path: Path, table: Table) -> None:
    key = ", ".join(f'"{name}"' for name in table.key)
    found = connection.execute(
        f"""
        SELECT {ROW} + 1, {key} FROM {table.name}
        QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {ROW}) = 2 ORDER BY {ROW} LIMIT 1
        """
    ).fetchall()
    if found:
        row, *values = found[0]
        raise BadSource(path, f"the key {', '.join(map(str, values))} occurs twice", ", ".join(table.key), row)


def check_slates(connection: duckdb.DuckDBPyConnection, path: Path, declaration: Declaration) -> None:
    """Check that a slate has one user, session, time and context, and that no two candidates share a position."""
    for name in ("user_id", "session_id", "shown_ts", "relevant_total", *(c.name for c in declaration.context)):
        _refuse_first(
            connection, path, name, f'"{name}" IS DISTINCT FROM first("{name}") OVER slate', "differs within its slate"
        )
    _refuse_first(
        connection, path, "input_position",
        f"row_number() OVER (PARTITION BY slate_id, input_position ORDER BY {ROW}) > 1", "occurs twice in its slate",
    )  # fmt: skip
    _refuse_first(
        connection, path, "relevant_total",
        "relevant_total < count(*) FILTER (label > 0) OVER (PARTITION BY slate_id)", "is below the slate's positives",
    )  # fmt: skip


def _refuse_first(connection: duckdb.DuckDBPyConnection, path: Path, name: str, bad: str, problem: str) -> None:
    found = connection.execute(
        f"""
        SELECT {ROW} + 1, "{name}"::VARCHAR, slate_id FROM (
            SELECT *, {bad} AS bad FROM impressions WINDOW slate AS (PARTITION BY slate_id ORDER BY {ROW})
        ) WHERE bad ORDER BY {ROW} LIMIT 1
        """
    ).fetchall()
    if found:
        row, value, slate = found[0]
        raise BadSource(path, f"slate {slate!r}: {value!r} {problem}", column=name, row=row)
