"""One mapped column: SQL of its value from the columns of the file, and what is wrong with it.

The steps are in this order: parts of a key are joined, one part of a value is cut out, a map or thresholds replace it;
a number is (number - minus) * scale, and then rounded or graded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from feature_repo.datasets.checks.values import SourceValue, problem
from feature_repo.datasets.errors import DatasetError
from feature_repo.datasets.files.mapping import FileMapping, Values
from feature_repo.datasets.files.reading.source_files import SourceColumn
from feature_repo.datasets.files.reading.texts import literal, number_in, number_of, text_of
from feature_repo.datasets.files.reading.times import time_of, what_it_takes
from feature_repo.datasets.log_writer import duckdb_type
from feature_repo.schema import Column, DType

# What completion mends or drops, with a note, may have any value here.
_MENDED = {("events", "quantity"), ("events", "value"), ("events", "price")}
_COUNTS = ("events", "quantity")


@dataclass(frozen=True)
class MappedValue:
    """``source``: what to select and check. ``unnamed``: SQL that is true where the map has no entry for the text."""

    source: SourceValue
    unnamed: str | None = None

    @property
    def problem(self) -> str:
        return problem(self.source)


@dataclass(frozen=True)
class Cells:
    """The columns of a file, after lists are taken apart.

    find:  name -> column. Raises BadSource for a name that there is not
    whole: names of the text columns that hold whole floats
    index: SQL of the position of the value in its cell, from 0
    """

    find: Callable[[str], SourceColumn]
    whole: frozenset[str]
    index: str

    def text(self, name: str) -> str:
        return text_of(self.find(name), name in self.whole)


def mapped_value(cells: Cells, mapping: FileMapping, name: str, column: Column) -> MappedValue:
    """``name``: of the column of the log. Raises DatasetError for a mapping that cannot be applied."""
    values = mapping.columns[name]
    if (mapping.table, name) in _MENDED:
        column = replace(column, minimum=None)
    if (mapping.table, name) == _COUNTS:
        column = replace(column, dtype=DType.FLOAT32, maximum=None)
    column = replace(column, nullable=True)  # what is missing may be made later; completion refuses the rest
    shown = f"{', '.join(values.source) or values.index_of or values.equals or 'value'}"
    shown = shown if shown == name else f"{shown} ({name})"
    if values.equals is not None:
        chosen = f"{cells.text(values.equals)} IS NOT DISTINCT FROM {_item(cells, mapping)}"
        return MappedValue(SourceValue(column, shown, f"({chosen})", f"({chosen})::INTEGER"))
    if values.value is not None:
        return MappedValue(_constant(column, shown, values.value))
    if values.index_of is not None:
        return MappedValue(_number(column, shown, cells.index, f"{cells.index}::DOUBLE", values))
    if values.relative is not None:
        return MappedValue(SourceValue(column, shown, "NULL::VARCHAR", "NULL::TIMESTAMPTZ"))  # known among all orders
    if not values.source:
        raise DatasetError(f"log.files, {mapping.path}: {name} needs one of from, value, equals, index_of")
    raw = _raw_text(cells, values)
    only = cells.find(values.source[0]) if len(values.source) == 1 and values.cut is None else None
    if column.dtype is DType.TIMESTAMP:
        wanted = f"cannot be a timestamp: {what_it_takes(only, values)}"
        return MappedValue(SourceValue(column, shown, raw, time_of(raw, only, values), wanted=wanted))
    number = number_of(only, mapping.format.decimal) if only else number_in(raw, mapping.format.decimal)
    if values.map is not None:
        return _by_map(column, shown, raw, values.map)
    if values.at_least is not None:
        return _by_threshold(column, shown, raw, _shifted(number, values), values.at_least)
    if column.dtype is DType.STRING:
        return MappedValue(SourceValue(column, shown, raw, raw))
    return MappedValue(_number(column, shown, raw, number, values))


def _item(cells: Cells, mapping: FileMapping) -> str:
    if "item_id" not in mapping.columns:
        raise DatasetError(f"log.files, {mapping.path}: equals compares with item_id, which is not mapped")
    return _raw_text(cells, mapping.columns["item_id"])


def _raw_text(cells: Cells, values: Values) -> str:
    """Parts of a key are joined by "|"; the whole is null where a part is."""
    text = " || '|' || ".join(cells.text(name) for name in values.source)
    text = f"({text})"
    if values.cut is None:
        return text
    part = values.part + 1 if values.part >= 0 else values.part
    return f"nullif(string_split({text}, {literal(values.cut)})[{part}], '')"


def _constant(column: Column, shown: str, value: str | float) -> SourceValue:
    text = literal(str(value))
    return SourceValue(column, shown, text, f"TRY_CAST({text} AS {duckdb_type(column.dtype)})")


def _by_map(column: Column, shown: str, raw: str, named: Mapping[str, str | int]) -> MappedValue:
    cases = " ".join(f"WHEN {literal(text)} THEN {literal(str(value))}" for text, value in named.items())
    chosen = f"CASE coalesce({raw}, '') {cases} END"
    typed = chosen if column.dtype is DType.STRING else f"TRY_CAST({chosen} AS {duckdb_type(column.dtype)})"
    return MappedValue(SourceValue(column, shown, chosen, typed), f"{chosen} IS NULL")


def _by_threshold(
    column: Column, shown: str, raw: str, number: str, grades: Mapping[float, str | float]
) -> MappedValue:
    """Below all thresholds a number is 0, and a row without an action is dropped."""
    ordered = sorted(grades.items(), reverse=True)
    cases = " ".join(f"WHEN {number} >= {threshold!r} THEN {literal(str(value))}" for threshold, value in ordered)
    if column.dtype is DType.STRING:
        chosen = f"CASE {cases} END"
        return MappedValue(SourceValue(column, shown, chosen, chosen), f"{chosen} IS NULL")
    typed = f"TRY_CAST(CASE {cases} WHEN {number} IS NOT NULL THEN '0' END AS {duckdb_type(column.dtype)})"
    return MappedValue(SourceValue(column, shown, raw, typed))


def _shifted(number: str, values: Values) -> str:
    """(number - minus) * scale; as it is without the two, so that its last digits stay."""
    taken = number if values.minus == 0 else f"({number} - {values.minus!r})"
    return taken if values.scale == 1 else f"({taken} * {values.scale!r})"


def _number(column: Column, shown: str, raw: str, number: str, values: Values) -> SourceValue:
    shifted = _shifted(number, values)
    if values.round:
        shifted = f"greatest(round({shifted}), 1.0)"
    return SourceValue(column, shown, raw, f"TRY_CAST({shifted} AS {duckdb_type(column.dtype)})", shifted)
