"""One mapped column: SQL of its value from the columns of the file, and what is wrong with it.

The steps are in this order: parts of a key are joined, one part of a value is cut out, a map or thresholds replace it;
a number is (number - minus) * scale, and then rounded or graded.

Each step is a column of its own in a nested query, because SQL that repeats its parts grows with every step::

    text of each source column -> raw and number of each value -> the typed value -> what is wrong with it
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from feature_repo.datasets.checks.values import SourceValue
from feature_repo.datasets.errors import DatasetError
from feature_repo.datasets.files.mapping import FileMapping, Values
from feature_repo.datasets.files.reading.source_files import SourceColumn
from feature_repo.datasets.files.reading.sql_text import literal
from feature_repo.datasets.files.reading.texts import number_in, number_of
from feature_repo.datasets.files.reading.times import time_of, what_it_takes
from feature_repo.datasets.log_writer import duckdb_type
from feature_repo.schema import Column, DType

_MENDED = {("events", "quantity"), ("events", "value"), ("events", "price")}  # a negative one is a return: later
_COUNTS = ("events", "quantity")  # is rounded later


@dataclass(frozen=True)
class Cells:
    """The columns of a file, after lists are taken apart.

    find:  name -> column. Raises BadSource for a name that there is not
    text:  name -> SQL of its text, a column of the innermost query
    index: SQL of the position of the value in its cell, from 0
    """

    find: Callable[[str], SourceColumn]
    text: Callable[[str], str]
    index: str


@dataclass(frozen=True)
class MappedValue:
    """``raw`` and ``number``: SQL over the columns of the file. ``typed``, ``unnamed``: SQL over the two.

    number:  None for what is no number
    unnamed: true where the map or the thresholds have no value for the row
    graded:  whether ``typed`` is a grade of the number, not the number itself
    """

    name: str
    column: Column
    shown: str
    raw: str
    typed: str
    number: str | None = None
    unnamed: str | None = None
    wanted: str | None = None
    graded: bool = False

    @property
    def source(self) -> SourceValue:
        """Over the columns of the query that has the raw, the number and the typed value."""
        number = None if self.number is None or self.graded else number_name(self.name)
        return SourceValue(self.column, self.shown, raw_name(self.name), f'"{self.name}"', number, self.wanted)


def raw_name(name: str) -> str:
    return f'"raw {name}"'


def number_name(name: str) -> str:
    return f'"number {name}"'


def mapped_value(cells: Cells, mapping: FileMapping, name: str, column: Column) -> MappedValue:
    """``name``: of the column of the log. Raises DatasetError for a mapping that cannot be applied."""
    values = mapping.columns[name]
    if (mapping.table, name) in _MENDED:
        column = replace(column, minimum=None)
    if (mapping.table, name) == _COUNTS:
        column = replace(column, dtype=DType.FLOAT32, maximum=None)
    column = replace(column, nullable=True)  # what is missing may be made later; completion refuses the rest
    of = ", ".join(values.source) or values.index_of or values.equals or name
    value = MappedValue(name, column, of if of == name else f"{of} ({name})", "NULL::VARCHAR", raw_name(name))
    as_typed = f"TRY_CAST({raw_name(name)} AS {duckdb_type(column.dtype)})"
    if values.relative is not None:
        return replace(value, typed="NULL::TIMESTAMPTZ")  # known among all orders
    if values.equals is not None:
        chosen = f"{cells.text(values.equals)} IS NOT DISTINCT FROM {_item(cells, mapping)}"
        return replace(value, raw=f"({chosen})::INTEGER::VARCHAR", typed=as_typed)
    if values.value is not None:
        return replace(value, raw=literal(str(values.value)), typed=as_typed)
    if values.index_of is not None:
        return _number(replace(value, raw=f"{cells.index}::VARCHAR"), f"{cells.index}::DOUBLE", values)
    if not values.source:
        raise DatasetError(f"log.files, {mapping.path}: {name} needs one of from, value, equals, index_of")
    return _from_source(cells, mapping, replace(value, raw=_raw_text(cells, values)), values)


def _from_source(cells: Cells, mapping: FileMapping, value: MappedValue, values: Values) -> MappedValue:
    only = cells.find(values.source[0]) if len(values.source) == 1 and values.cut is None else None
    if value.column.dtype is DType.TIMESTAMP:
        wanted = f"cannot be a timestamp: {what_it_takes(only, values)}"
        return replace(value, typed=time_of(raw_name(value.name), only, values), wanted=wanted)
    if values.map is not None:
        return _by_map(value, values.map)
    if only is not None and only.type != "VARCHAR":
        number = number_of(only)
    else:
        number = number_in(value.raw, mapping.format.decimal)
    if values.at_least is not None:
        return _by_threshold(replace(value, number=_shifted(number, values)), values.at_least)
    return value if value.column.dtype is DType.STRING else _number(value, number, values)


def _item(cells: Cells, mapping: FileMapping) -> str:
    if "item_id" not in mapping.columns:
        raise DatasetError(f"log.files, {mapping.path}: equals compares with item_id, which is not mapped")
    return _raw_text(cells, mapping.columns["item_id"])


def _raw_text(cells: Cells, values: Values) -> str:
    """Parts of a key are joined by "|"; the whole is null where a part is."""
    text = " || '|' || ".join(cells.text(name) for name in values.source)
    if values.cut is None:
        return text if len(values.source) == 1 else f"({text})"
    part = values.part + 1 if values.part >= 0 else values.part
    return f"nullif(string_split({text}, {literal(values.cut)})[{part}], '')"


def _by_map(value: MappedValue, named: Mapping[str, str | int]) -> MappedValue:
    cases = " ".join(f"WHEN {literal(text)} THEN {literal(str(to))}" for text, to in named.items())
    raw = f"CASE coalesce({value.raw}, '') {cases} END"
    typed = f"TRY_CAST({raw_name(value.name)} AS {duckdb_type(value.column.dtype)})"
    return replace(value, raw=raw, typed=typed, unnamed=f"{raw_name(value.name)} IS NULL")


def _by_threshold(value: MappedValue, grades: Mapping[float, str | float]) -> MappedValue:
    """Below all thresholds a number is 0, and a row without an action is dropped. A grade may be any number."""
    number = number_name(value.name)
    ordered = sorted(grades.items(), reverse=True)
    cases = " ".join(f"WHEN {number} >= {threshold!r} THEN {literal(str(to))}" for threshold, to in ordered)
    if value.column.dtype is DType.STRING:
        return replace(value, typed=f"CASE {cases} END", unnamed=f'"{value.name}" IS NULL', graded=True)
    below = f"WHEN {number} IS NOT NULL THEN '0'"
    return replace(value, typed=f"TRY_CAST(CASE {cases} {below} END AS {duckdb_type(value.column.dtype)})", graded=True)


def _shifted(number: str, values: Values) -> str:
    """(number - minus) * scale; as it is without the two, so that its last digits stay."""
    taken = number if values.minus == 0 else f"({number} - {values.minus!r})"
    return taken if values.scale == 1 else f"({taken} * {values.scale!r})"


def _number(value: MappedValue, number: str, values: Values) -> MappedValue:
    shifted = _shifted(number, values)
    if values.round:
        shifted = f"greatest(round({shifted}), 1.0)"
    typed = f"TRY_CAST({number_name(value.name)} AS {duckdb_type(value.column.dtype)})"
    return replace(value, number=shifted, typed=typed)
