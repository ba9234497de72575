"""Tables of a user's own, copied beside the built ones: so gates, joins, Redis and audits read the same rows.

A table is a file, a folder of files, or a glob. CSV and TSV are read as text and cast to the types of the view, so that
an id "007" stays as it is; parquet and JSON lines have types, and are cast as well. A row without a key or a time is an
error, as is a value that its type cannot hold: nothing is dropped.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from feature_repo.build.feature_writer import write_view
from feature_repo.datasets.errors import BadSource
from feature_repo.definitions.own_files import KINDS, files_of
from feature_repo.definitions.view import Origin, View

TAB = "\t"


def write(connection: duckdb.DuckDBPyConnection, view: View, origin: Origin, folder: Path) -> None:
    """Raises BadSource, naming file and column."""
    files = files_of(origin)
    kinds = {file.name.removesuffix(".gz").rpartition(".")[2] for file in files}
    if len(kinds) != 1:
        what = f"files of several kinds: {', '.join(sorted(kinds))}" if kinds else f"no file {', '.join(KINDS)}"
        raise BadSource(Path(origin.path), f"{view.name} is read from here, and there is {what}")
    scan = _scan(files, kinds.pop())
    try:
        found = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()]
        columns = [column.name for column in view.columns]
        wanted = [*view.join_keys, origin.timestamp, *([origin.created] if origin.created else []), *columns]
        absent = [name for name in wanted if name not in found]
        if absent:
            raise BadSource(Path(origin.path), f"has no column {', '.join(absent)}; it has {', '.join(found)}")
        _refuse_nulls(connection, scan, origin, (*view.join_keys, origin.timestamp))
        times = f"{_time(origin.timestamp)} AS event_timestamp, {_created(origin)} AS created_timestamp"
        named = ", ".join(f'"{name}"' for name in (*view.join_keys, *columns))
        write_view(connection, view, [f"SELECT {named}, {times} FROM {scan}"], folder, "created_timestamp")
    except duckdb.Error as error:
        raise BadSource(Path(origin.path), str(error).splitlines()[0]) from error


def _time(column: str) -> str:
    return f'CAST("{column}" AS TIMESTAMPTZ)'


def _created(origin: Origin) -> str:
    known = _time(origin.timestamp)
    return f"coalesce({_time(origin.created)}, {known})" if origin.created else known


def _scan(files: list[Path], kind: str) -> str:
    """A table expression."""
    names = "[" + ", ".join("'" + str(file).replace("'", "''") + "'" for file in files) + "]"
    if kind in ("csv", "tsv"):
        options = f"delim = '{',' if kind == 'csv' else TAB}', header = true, all_varchar = true"
        return f"read_csv({names}, {options}, union_by_name = true)"
    return f"{'read_parquet' if kind == 'parquet' else 'read_json'}({names}, union_by_name = true)"


def _refuse_nulls(connection: duckdb.DuckDBPyConnection, scan: str, origin: Origin, names: tuple[str, ...]) -> None:
    counts = ", ".join(f'count(*) FILTER ("{name}" IS NULL)' for name in names)
    found = connection.execute(f"SELECT {counts} FROM {scan}").fetchall()[0]
    for name, nulls in zip(names, found, strict=True):
        if nulls:
            raise BadSource(Path(origin.path), f"{nulls:,} rows have none, and every row needs one", name)
