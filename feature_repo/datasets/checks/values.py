"""The values of a source's columns: what is wrong with each, in one scan for all of them.

A relation that is checked has the columns FILE (path as text) and ROW (from 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from feature_repo.datasets.column_checks import LABEL_REMEDY, MONEY_REMEDY, column_checks
from feature_repo.datasets.errors import BadSource
from feature_repo.datasets.log_writer import duckdb_type
from feature_repo.schema import Column, DType
from feature_repo.times.time_unit import unit_hint_sql
from infra.limits import MAX_MONEY

FILE, ROW = "source_file", "source_row"
NUMBERS = (DType.MONEY, DType.FLOAT32, DType.INT32, DType.INT64)
LOST_SHARE = 0.01  # of the positive amounts that would become 0.00: more are a wrong unit
FLOATING = ("FLOAT", "DOUBLE", "DECIMAL")
_NESTED = ("STRUCT", "MAP", "UNION", "[]", "BLOB")
_SHOWN = 80  # characters of a value in a message


@dataclass(frozen=True)
class SourceValue:
    """A column of a source as it is read.

    column: what the value must be
    name:   of the source's column, for messages
    raw:    SQL of the source's value, which messages show
    typed:  SQL of the value, of the column's type; null where ``raw`` cannot be one
    number: SQL of the number that ``typed`` is made of, as DOUBLE, before it is rounded; None for what is no number
    wanted: what to say of a value that cannot be of the type
    """

    column: Column
    name: str
    raw: str
    typed: str
    number: str | None = None
    wanted: str | None = None


def plain_value(column: Column) -> SourceValue:
    """The column as it stands in a file of the canonical form, of the same name."""
    name = f'"{column.name}"'
    number = f"TRY_CAST({name} AS DOUBLE)" if column.dtype in NUMBERS else None
    return SourceValue(column, column.name, name, f"TRY_CAST({name} AS {duckdb_type(column.dtype)})", number)


def type_problem(column: Column, source_type: str) -> str | None:
    """Why a column of this type cannot be read as ``column`` at all."""
    nested = any(mark in source_type for mark in _NESTED)
    if nested or (column.dtype is DType.STRING and source_type.startswith(FLOATING)):
        wanted = "strings or integers" if column.dtype is DType.STRING else column.dtype.value
        return f"the type is {source_type}; it must be {wanted}"
    return None


def problem(value: SourceValue) -> str:
    """SQL of a sentence about what is wrong with the value; null if the value is allowed."""
    column, raw, typed = value.column, value.raw, value.typed
    shown = f"'''' || left(({raw})::VARCHAR, {_SHOWN}) || ''' '"
    cases = [] if column.nullable else [f"WHEN ({raw}) IS NULL THEN 'null is not allowed'"]
    cases.append(f"WHEN ({raw}) IS NULL THEN NULL")
    if value.number is not None:
        cases.append(f"WHEN NOT isfinite({value.number}) THEN {shown} || 'is not finite'")
    if column.dtype is DType.MONEY:
        cases.append(f"WHEN {value.number} > {MAX_MONEY!r} THEN {shown} || {_beyond(column)}")
    wanted = value.wanted or f"cannot be a {column.dtype.value}"
    cases.append(f"WHEN {typed} IS NULL THEN {shown} || {_text(wanted)}")
    if column.dtype is DType.TIMESTAMP:
        cases.append(f"WHEN NOT isfinite({typed}) THEN {shown} || 'is not finite'")
    if column.dtype in (DType.INT32, DType.INT64) and value.number is not None:
        remedy = f"; {LABEL_REMEDY}" if column.name == "label" else ""
        cases.append(f"WHEN {value.number} <> trunc({value.number}) THEN {shown} || {_text(f'is not whole{remedy}')}")
    for check in column_checks(column, typed):
        remedy = f"; {check.remedy}" if check.remedy else ""
        hint = f" || {unit_hint_sql(f'epoch_us({typed})')}" if column.dtype is DType.TIMESTAMP else ""
        cases.append(f"WHEN {check.breaks} THEN {shown} || {_text(f'is not {check.text}{remedy}')}{hint}")
    return f"CASE {' '.join(cases)} END"


def _beyond(column: Column) -> str:
    bound = MAX_MONEY if column.maximum is None else column.maximum
    return _text(f"is not at most {bound:.12g}; {MONEY_REMEDY}")


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def first_problems(
    connection: duckdb.DuckDBPyConnection, relation: str, problems: Sequence[tuple[str, str]]
) -> list[BadSource]:
    """``problems``: (name of the column, SQL of its sentence). The first row of each that has one, in one scan."""
    if not problems:
        return []
    texts = ", ".join(f"{sql} AS p{number}" for number, (_, sql) in enumerate(problems))
    firsts = ", ".join(
        f"min(struct_pack(file := {FILE}, row := {ROW}, text := p{number})) FILTER (p{number} IS NOT NULL)"
        for number in range(len(problems))
    )
    found = connection.execute(f"SELECT {firsts} FROM (SELECT {FILE}, {ROW}, {texts} FROM {relation})").fetchall()[0]
    return [
        BadSource(Path(first["file"]), first["text"], column=name, row=first["row"])
        for (name, _), first in zip(problems, found, strict=True)
        if first is not None
    ]


def lost(value: SourceValue) -> str:
    """SQL that is true for a positive amount of money of which the cents leave nothing."""
    return f"{value.number} > 0 AND {value.typed} = 0"


def lost_money(connection: duckdb.DuckDBPyConnection, relation: str, values: Sequence[SourceValue]) -> list[BadSource]:
    """The columns of money that are too fine for cents: more than LOST_SHARE of the amounts would be 0.00."""
    found = []
    for value in values:
        if value.number is None or value.column.dtype is not DType.MONEY:
            continue
        count, all_of_them, first = connection.execute(
            f"""
            SELECT count(*) FILTER ({lost(value)}), count(*) FILTER ({value.number} > 0),
                min(struct_pack(file := {FILE}, row := {ROW})) FILTER ({lost(value)})
            FROM {relation}
            """
        ).fetchall()[0]
        if count > LOST_SHARE * all_of_them:
            found.append(
                BadSource(Path(first["file"]), lost_amounts(count, all_of_them), column=value.name, row=first["row"])
            )
    return found


def lost_amounts(lost: int, amounts: int) -> str:
    return (
        f"this amount and {lost - 1:,} more of {amounts:,} would be 0.00, because money has cents: use a smaller unit, "
        'in a mapping by "scale", e.g. scale: 1000'
    )
