"""All files below a folder as tables with samples, and what could not be read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType

import duckdb

from feature_repo.datasets.files.mapping import FileFormat
from feature_repo.init.reading.sample import SourceTable, make_sample, quoted, reader
from feature_repo.init.reading.source_files import SourceFile, Unreadable, find_files, group_names, name_shape
from feature_repo.init.reading.text_format import NotText, TextFormat, text_format

NESTED = ("STRUCT", "MAP", "UNION", "BLOB", "JSON")


@dataclass(frozen=True)
class Source:
    """``root``: the folder that all names are below. ``doubts``: table's pattern -> what is not sure about its form."""

    root: Path
    tables: tuple[SourceTable, ...]
    unreadable: tuple[Unreadable, ...]
    doubts: dict[str, str]


@dataclass(frozen=True)
class _Opened:
    file: SourceFile
    types: tuple[tuple[str, str], ...]
    text: TextFormat | None

    @property
    def likeness(self) -> tuple[object, ...]:
        """Files of one kind are alike in it. Lines of JSON leave out what they do not know."""
        if self.file.kind == "json":
            return ("json", name_shape(self.file.name))
        return (self.file.kind, tuple(name for name, _ in self.types), self.text and self.text.format)


def read_source(
    connection: duckdb.DuckDBPyConnection,
    source: Path,
    formats: Mapping[str, FileFormat] = MappingProxyType({}),
    ignore: Collection[str] = (),
) -> Source:
    """``formats``: pattern or name -> the format that the user gave. ``ignore``: patterns of files that are not read.

    Raises DatasetError where nothing is to be read.
    """
    files, unreadable = find_files(source)
    files = [each for each in files if not _matches(each.name, ignore)]
    unreadable = [each for each in unreadable if not _matches(each.name, ignore)]
    root = source.parent if source.is_file() else source
    opened: list[_Opened] = []
    for file in files:
        try:
            opened.append(_opened(connection, file, _given(file.name, formats)))
        except NotText as error:
            unreadable.append(Unreadable(file.name, str(error)))
        except duckdb.Error as error:
            unreadable.append(Unreadable(file.name, str(error).splitlines()[0][:200]))
    tables: list[SourceTable] = []
    doubts: dict[str, str] = {}
    for pattern, group in _groups(opened):
        try:
            tables.append(_table(connection, len(tables), pattern, group))
        except duckdb.Error as error:
            unreadable.append(Unreadable(pattern, str(error).splitlines()[0][:200]))
            continue
        doubt = next((each.text.doubt for each in group if each.text and each.text.doubt), "")
        if doubt:
            doubts[pattern] = doubt
    filled = tuple(each for each in tables if each.rows)
    empty = [Unreadable(each.pattern, "has no rows", matters=False) for each in tables if not each.rows]
    return Source(root, filled, (*unreadable, *empty), doubts)


def _matches(name: str, patterns: Collection[str]) -> bool:
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)


def _given(name: str, formats: Mapping[str, FileFormat]) -> FileFormat | None:
    return next((each for pattern, each in formats.items() if fnmatchcase(name, pattern)), None)


def _opened(connection: duckdb.DuckDBPyConnection, file: SourceFile, given: FileFormat | None) -> _Opened:
    text = text_format(file.path, given) if file.kind == "text" else None
    sql = reader([file.path], file.kind, text.format if text else FileFormat())
    described = connection.execute(f"DESCRIBE SELECT * FROM {sql}").fetchall()
    return _Opened(file, tuple((row[0], row[1]) for row in described), text)


def _groups(opened: Sequence[_Opened]) -> list[tuple[str, list[_Opened]]]:
    alike: dict[tuple[object, ...], list[_Opened]] = {}
    for each in opened:
        alike.setdefault(each.likeness, []).append(each)
    found = []
    for group in alike.values():
        others = [each.file.name for each in opened if each not in group]
        by_name = {each.file.name: each for each in group}
        for pattern, names in group_names(list(by_name), others):
            found.append((pattern, [by_name[name] for name in names]))
    return sorted(found, key=lambda pair: pair[0])


def _table(connection: duckdb.DuckDBPyConnection, number: int, pattern: str, group: list[_Opened]) -> SourceTable:
    first = group[0]
    written = first.text.format if first.text else FileFormat()
    sql = reader([each.file.path for each in group], first.file.kind, written)
    connection.execute(f"CREATE TEMP VIEW whole_{number} AS SELECT * FROM {sql}")
    described = connection.execute(f"DESCRIBE whole_{number}").fetchall()
    types = {row[0]: row[1] for row in described if not any(each in row[1] for each in NESTED)}
    nested = tuple(row[0] for row in described if row[0] not in types)
    names = tuple(each.file.name for each in group)
    table = SourceTable(number, pattern, names, first.file.kind, written, types, 0, nested)
    rows = connection.execute(f"SELECT count(*) FROM {table.whole}").fetchone()
    assert rows is not None
    table = replace(table, rows=int(rows[0]))
    make_sample(connection, table)
    return table


def whole_distinct(connection: duckdb.DuckDBPyConnection, table: SourceTable, columns: Sequence[str]) -> int:
    """Distinct values of some columns together, over all rows; rows with a null in one of them do not count."""
    listed = ", ".join(quoted(each) for each in columns)
    some = " AND ".join(f"{quoted(each)} IS NOT NULL" for each in columns)
    of = table.whole if table.is_sampled else table.sample
    found = connection.execute(f"SELECT count(*) FROM (SELECT DISTINCT {listed} FROM {of} WHERE {some})").fetchone()
    assert found is not None
    return int(found[0])
