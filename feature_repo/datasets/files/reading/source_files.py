"""Opens the user's files as relations: text files as text, parquet with its types.

A relation has FILE, ROW (from 1; without the header) and the columns c0, c1, … of :class:`Relation`. CSV and JSON are
read as text, so that no guess changes a value: "007" stays, and so does "34.0". A list of JSON is a list of texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from feature_repo.datasets.checks.values import FILE, ROW
from feature_repo.datasets.errors import BadSource, DatasetError, raise_all
from feature_repo.datasets.files.mapping import FileFormat
from feature_repo.datasets.files.reading.text_files import open_text, unreadable_text

PARQUET = (".parquet", ".pq")
JSON = (".json", ".jsonl", ".ndjson")
TEXT = (".csv", ".tsv", ".txt", ".dat", ".data", ".psv", ".tab")
FORMATS = (*PARQUET, *JSON, *TEXT)
_PACKED = (".gz",)


@dataclass(frozen=True)
class SourceColumn:
    """``sql``: its name in the relation. ``type``: DuckDB's."""

    sql: str
    type: str

    @property
    def is_list(self) -> bool:
        return self.type.endswith("[]")


@dataclass(frozen=True)
class Relation:
    """``query``: SQL with FILE, ROW and ``columns``, by their names in the files. ``path``: as the mapping has it.

    ``is_text``: whether some of the files are text, which takes long to read.
    """

    query: str
    columns: dict[str, SourceColumn]
    path: Path
    is_text: bool

    def column(self, name: str) -> SourceColumn:
        """Raises BadSource with the names that there are."""
        if name not in self.columns:
            raise BadSource(self.path, f"has no column {name!r}; it has {', '.join(self.columns)}")
        return self.columns[name]


def matching_files(folder: Path, pattern: str) -> list[Path]:
    """In the order of their names. Raises DatasetError where there is none."""
    try:
        found = sorted(path for path in folder.glob(pattern) if path.is_file())
    except (NotImplementedError, ValueError) as error:
        raise DatasetError(f"log.files: the path {pattern!r} must be relative to {folder}: {error}") from error
    if not found:
        there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        raise DatasetError(f"{folder / pattern}: no such file; the folder holds {', '.join(there[:20]) or 'nothing'}")
    return found


def open_files(
    connection: duckdb.DuckDBPyConnection, folder: Path, pattern: str, form: FileFormat, scratch: Path
) -> Relation:
    """The files that match ``pattern`` as one relation. A column that some of them lack is null there.

    Raises DatasetError. ``scratch``: for text files in an encoding that DuckDB does not read.
    """
    opened: list[tuple[Path, str, dict[str, str]]] = []  # file, SQL of its rows, name -> type
    faults: list[DatasetError] = []
    for path in matching_files(folder, pattern):
        try:
            opened.append((path, *_opened(connection, path, form, scratch)))
        except DatasetError as error:
            faults.append(error)
    raise_all(faults)
    names = list(dict.fromkeys(name for _, _, types in opened for name in types))
    numbers = {name: f"c{number}" for number, name in enumerate(names)}
    parts = []
    for path, rows, types in opened:
        columns = "".join(f", {_name(name)} AS {numbers[name]}" for name in types)
        parts.append(f"SELECT {_literal(str(path))} AS {FILE}, row_number() OVER () AS {ROW}{columns} FROM {rows}")
    query = " UNION ALL BY NAME ".join(parts)
    described = {row[0]: row[1] for row in connection.execute(f"DESCRIBE {query}").fetchall()}
    columns_of = {name: SourceColumn(numbers[name], described[numbers[name]]) for name in names}
    return Relation(query, columns_of, folder / pattern, any(_suffix(path) not in PARQUET for path, _, _ in opened))


def _opened(
    connection: duckdb.DuckDBPyConnection, path: Path, form: FileFormat, scratch: Path
) -> tuple[str, dict[str, str]]:
    """(SQL of its rows in the order of the file, name -> type)."""
    suffix = _suffix(path)
    if suffix in PARQUET:
        rows = f"read_parquet({_literal(str(path))})"
        return rows, _described(connection, path, rows)
    if suffix in JSON:
        return _json(connection, path)
    if suffix in TEXT:
        file = open_text(path, form, scratch)
        return file.rows, dict.fromkeys(file.names, "VARCHAR")
    raise BadSource(
        path,
        f"the format {suffix or 'without a suffix'!r} is not known; known are {', '.join(FORMATS)}, text also with .gz",
    )


def _suffix(path: Path) -> str:
    suffixes = [each.lower() for each in path.suffixes]
    if suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _json(connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[str, dict[str, str]]:
    """Scalars are text, lists of scalars are lists of text, and anything deeper is JSON as text."""
    found = _described(connection, path, f"read_json({_literal(str(path))}, sample_size = -1)")
    deep = ("STRUCT", "MAP", "JSON[")
    types = {
        name: "VARCHAR[]" if kind.endswith("[]") and not kind.startswith(deep) and kind.count("[]") == 1 else "VARCHAR"
        for name, kind in found.items()
    }
    columns = ", ".join(f"{_literal(name)}: '{kind}'" for name, kind in types.items())
    return f"read_json({_literal(str(path))}, columns = {{{columns}}})", types


def _described(connection: duckdb.DuckDBPyConnection, path: Path, rows: str) -> dict[str, str]:
    try:
        return {row[0]: row[1] for row in connection.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()}
    except duckdb.Error as error:
        raise BadSource(path, str(error).splitlines()[0]) from error


def reading_fault(error: duckdb.Error, relation: Relation) -> DatasetError:
    """What DuckDB said when it read the rows, with the file and the row where it tells them."""
    return unreadable_text(relation.path, str(error))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
