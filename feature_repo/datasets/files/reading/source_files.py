"""Opens the user's files as relations: text files as text, parquet with its types.

A relation has FILE, ROW (from 1; without the header) and the columns c0, c1, … of :class:`Relation`. CSV and JSON are
read as text, so that no guess changes a value: "007" stays, and so does "34.0". A list of JSON is a list of texts.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb

from feature_repo.datasets.checks.values import FILE, ROW
from feature_repo.datasets.errors import BadSource, DatasetError, raise_all
from feature_repo.datasets.files.mapping import FileFormat
from feature_repo.datasets.files.reading.sql_text import literal, quoted
from feature_repo.datasets.files.reading.text_files import EmptyFile, open_text, unreadable_text

Kind = Literal["parquet", "json", "text"]
KINDS: dict[str, Kind] = {
    ".parquet": "parquet", ".pq": "parquet", ".json": "json", ".jsonl": "json", ".ndjson": "json",
    ".csv": "text", ".tsv": "text", ".txt": "text", ".dat": "text", ".data": "text", ".psv": "text", ".tab": "text",
}  # fmt: skip
_PACKED = ".gz"
_HEAD = 4096  # bytes that tell what a file without a suffix is


@dataclass(frozen=True)
class SourceColumn:
    """``sql``: its name in the relation. ``type``: DuckDB's."""

    sql: str
    type: str

    @property
    def is_list(self) -> bool:
        return self.type.endswith("[]")


@dataclass(frozen=True)
class OpenFile:
    """``rows``: SQL of them, in the order of the file. ``types``: name -> DuckDB's type."""

    rows: str
    types: dict[str, str]
    kind: Kind


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

    An empty file, as of a day on which nothing happened, has no rows where others are there. Raises DatasetError.
    ``scratch``: for text files in an encoding that DuckDB does not read.
    """
    opened: list[tuple[Path, OpenFile]] = []
    faults: list[DatasetError] = []
    empty: list[EmptyFile] = []
    for path in matching_files(folder, pattern):
        try:
            opened.append((path, open_file(connection, path, form, scratch)))
        except EmptyFile as error:
            empty.append(error)
        except DatasetError as error:
            faults.append(error)
    raise_all(faults if opened or faults else empty)
    names = list(dict.fromkeys(name for _, file in opened for name in file.types))
    numbers = {name: f"c{number}" for number, name in enumerate(names)}
    parts = []
    for path, file in opened:
        columns = "".join(f", {quoted(name)} AS {numbers[name]}" for name in file.types)
        parts.append(f"SELECT {literal(str(path))} AS {FILE}, row_number() OVER () AS {ROW}{columns} FROM {file.rows}")
    query = " UNION ALL BY NAME ".join(parts)
    described = {row[0]: row[1] for row in connection.execute(f"DESCRIBE {query}").fetchall()}
    columns_of = {name: SourceColumn(numbers[name], described[numbers[name]]) for name in names}
    return Relation(query, columns_of, folder / pattern, any(file.kind != "parquet" for _, file in opened))


def open_file(connection: duckdb.DuckDBPyConnection, path: Path, form: FileFormat, scratch: Path) -> OpenFile:
    """Raises BadSource; EmptyFile where nothing is in it."""
    kind = kind_of(path)
    if kind == "parquet":
        rows = f"read_parquet({literal(str(path))})"
        return OpenFile(rows, _described(connection, path, rows), kind)
    if kind == "json":
        return _json(connection, path)
    if kind == "text":
        file = open_text(path, form, scratch)
        return OpenFile(file.rows, dict.fromkeys(file.names, "VARCHAR"), kind)
    raise BadSource(
        path, f"the format {suffix_of(path)!r} is not known; known are {', '.join(KINDS)}, text also with {_PACKED}"
    )


def kind_of(path: Path) -> Kind | None:
    """By its first bytes for parquet, else by its suffix. Without one it is JSON lines or text, as its bytes tell.

    None: it is none of them. Raises EmptyFile, and BadSource where it cannot be read.
    """
    try:
        with gzip.open(path) if path.suffix.lower() == _PACKED else path.open("rb") as file:
            head = file.read(_HEAD)
    except (OSError, EOFError) as error:
        raise BadSource(path, f"cannot be read: {error}") from error
    if not head.strip():
        raise EmptyFile(path)
    if head[:4] == b"PAR1":
        return "parquet"
    suffix = suffix_of(path)
    if KINDS.get(suffix) == "parquet":
        raise BadSource(path, "is no parquet file")
    if suffix or b"\0" in head:
        return KINDS.get(suffix)
    return "json" if head.lstrip()[:1] == b"{" else "text"


def suffix_of(path: Path) -> str:
    """Without that of packing; "" where there is none."""
    return next((each.lower() for each in reversed(path.suffixes) if each.lower() != _PACKED), "")


def _json(connection: duckdb.DuckDBPyConnection, path: Path) -> OpenFile:
    """Scalars are text, lists of scalars are lists of text, and anything deeper is JSON."""
    found = _described(connection, path, f"read_json({literal(str(path))}, sample_size = -1)")
    deep = ("STRUCT", "MAP", "JSON[")
    types = {
        name: "JSON" if kind.startswith(deep) or kind.count("[]") > 1 else "VARCHAR[]" if "[]" in kind else "VARCHAR"
        for name, kind in found.items()
    }
    columns = ", ".join(f"{literal(name)}: '{kind}'" for name, kind in types.items())
    return OpenFile(f"read_json({literal(str(path))}, columns = {{{columns}}})", types, "json")


def _described(connection: duckdb.DuckDBPyConnection, path: Path, rows: str) -> dict[str, str]:
    try:
        return {row[0]: row[1] for row in connection.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()}
    except duckdb.Error as error:
        raise BadSource(path, str(error).splitlines()[0]) from error


def reading_fault(error: duckdb.Error, relation: Relation) -> DatasetError:
    """What DuckDB said when it read the rows, with the file and the row where it tells them."""
    return unreadable_text(relation.path, str(error))
