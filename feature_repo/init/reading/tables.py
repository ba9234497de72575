"""All files below a folder as tables with samples, and what could not be read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType

import duckdb

from feature_repo.datasets.errors import BadSource, DatasetError
from feature_repo.datasets.files.mapping import FileFormat
from feature_repo.datasets.files.reading.source_files import OpenFile, open_file
from feature_repo.datasets.files.reading.sql_text import quoted
from feature_repo.datasets.files.reading.text_files import unreadable_text
from feature_repo.init.reading.sample import SourceTable, make_sample
from feature_repo.init.reading.source_files import (
    SourceFile,
    Unreadable,
    find_files,
    group_names,
    name_shape,
    unreadable,
)
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
    open: OpenFile
    text: TextFormat | None

    @property
    def likeness(self) -> tuple[object, ...]:
        """Files of one kind are alike in it. Lines of JSON leave out what they do not know."""
        if self.file.kind == "json":
            return ("json", name_shape(self.file.name))
        return (self.file.kind, tuple(self.open.types), self.text and self.text.format)


def read_source(
    connection: duckdb.DuckDBPyConnection,
    source: Path,
    scratch: Path,
    formats: Mapping[str, FileFormat] = MappingProxyType({}),
    ignore: Collection[str] = (),
) -> Source:
    """``formats``: pattern or name -> the format that the user gave. ``ignore``: patterns of files that are not read.

    The files are read as the adapter reads them, ``scratch`` is for that, so that what is understood can be imported.
    Raises DatasetError where nothing is to be read.
    """
    files, unread = find_files(source)
    files = [each for each in files if not _matches(each.name, ignore)]
    unread = [each for each in unread if not _matches(each.name, ignore)]
    root = source.parent if source.is_file() else source
    opened: list[_Opened] = []
    for file in files:
        try:
            opened.append(_opened(connection, file, _given(file.name, formats), scratch))
        except NotText as error:
            unread.append(Unreadable(file.name, str(error)))
        except BadSource as error:
            unread.append(unreadable(file.name, file.path, error))
    tables: list[SourceTable] = []
    doubts: dict[str, str] = {}
    for number, (pattern, group) in enumerate(_groups(opened)):
        try:
            tables.append(_table(connection, number, pattern, group))
        except duckdb.Error as error:
            unread.append(_unreadable_rows(pattern, group, error))
            continue
        doubt = next((each.text.doubt for each in group if each.text and each.text.doubt), "")
        if doubt:
            doubts[pattern] = doubt
    filled = tuple(each for each in tables if each.rows)
    empty = [Unreadable(each.pattern, "has no rows", matters=False) for each in tables if not each.rows]
    if not filled:
        told = "".join(f"\n  {each.name}: {each.problem}" for each in (*unread, *empty))
        raise DatasetError(f"{source} holds no file with rows that can be read{told}")
    return Source(root, filled, (*unread, *empty), doubts)


def _matches(name: str, patterns: Collection[str]) -> bool:
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)


def _given(name: str, formats: Mapping[str, FileFormat]) -> FileFormat | None:
    return next((each for pattern, each in formats.items() if fnmatchcase(name, pattern)), None)


def _opened(
    connection: duckdb.DuckDBPyConnection, file: SourceFile, given: FileFormat | None, scratch: Path
) -> _Opened:
    text = text_format(file.path, given) if file.kind == "text" else None
    return _Opened(file, open_file(connection, file.path, text.format if text else FileFormat(), scratch), text)


def _unreadable_rows(pattern: str, group: Sequence[_Opened], error: duckdb.Error) -> Unreadable:
    fault = unreadable_text(group[0].file.path, str(error))
    named = next((each.file for each in group if str(fault).startswith(str(each.file.path))), group[0].file)
    return unreadable(named.name if len(group) == 1 else pattern, named.path, fault)


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
    rows_of = " UNION ALL BY NAME ".join(f"SELECT * FROM {each.open.rows}" for each in group)
    connection.execute(f"CREATE TEMP VIEW whole_{number} AS {rows_of}")
    described = connection.execute(f"DESCRIBE whole_{number}").fetchall()
    types = {row[0]: row[1] for row in described if not any(each in row[1] for each in NESTED)}
    nested = tuple(row[0] for row in described if row[0] not in types)
    names = tuple(each.file.name for each in group)
    table = SourceTable(number, pattern, names, written, types, 0, nested)
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
