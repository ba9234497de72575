"""Writes a canonical log. The log is checked against the schema and appears complete or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from feature_repo.datasets.column_checks import column_checks
from feature_repo.datasets.declarations.declaration_json import DECLARATION_FILE, declaration_to_json
from feature_repo.datasets.errors import DatasetError
from feature_repo.datasets.import_notes import NOTES_FILE, ImportNote, write_notes
from feature_repo.schema import Declaration, DType, Table, log_tables
from feature_repo.times.time_unit import unit_hint
from infra.limits import MAX_SLATE_ITEMS


class LogWriter:
    """Writes the three tables into a folder beside ``out`` and renames that folder to ``out`` at the end.

    It is a context manager. Leaving it without an error publishes the log; after an error ``out`` is unchanged.
    Raises DatasetError if ``out`` holds anything but an earlier log.
    """

    def __init__(self, out: Path, declaration: Declaration) -> None:
        self.out = out
        self.declaration = declaration
        self.partial = out.with_name(f".{out.name}.{os.getpid()}.part")
        self._notes: list[ImportNote] = []

    def __enter__(self) -> LogWriter:
        self._refuse_to_replace_other_files()
        shutil.rmtree(self.partial, ignore_errors=True)
        self.partial.mkdir(parents=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._publish()
        finally:
            shutil.rmtree(self.partial, ignore_errors=True)

    def _refuse_to_replace_other_files(self) -> None:
        if not self.out.exists():
            return
        if not self.out.is_dir():
            raise DatasetError(f"{self.out} is not a folder")
        found = {path.name for path in self.out.iterdir()}
        ours = (DECLARATION_FILE, NOTES_FILE)
        other = sorted(name for name in found if name not in ours and not name.endswith(".parquet"))
        if other or (found and DECLARATION_FILE not in found):
            name = (other or sorted(found))[0]
            raise DatasetError(f"{self.out} holds {name}, so it is not a log: choose a new folder for --out")

    def write(self, connection: duckdb.DuckDBPyConnection, table: Table, query: str) -> int:
        """Write the rows of ``query`` as ``table``, cast to its schema. Returns the number of rows.

        Raises DatasetError if a cast fails, a required column is null, a value or a slate exceeds its limits, or a key
        occurs twice.
        """
        path = self.partial / f"{table.name}.parquet"
        columns = ", ".join(f'CAST("{c.name}" AS {duckdb_type(c.dtype)}) AS "{c.name}"' for c in table.columns)
        try:
            connection.execute(f"COPY (SELECT {columns} FROM ({query})) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
        except duckdb.Error as error:
            raise DatasetError(f"table {table.name}: {str(error).splitlines()[0]}") from error
        _check(connection, table, path)
        return int(pq.ParquetFile(path).metadata.num_rows)

    def extra(self, name: str) -> Path:
        """Path for an additional file of the adapter. It is published beside the tables."""
        return self.partial / name

    def note(self, note: ImportNote) -> None:
        """Something that was dropped or mended. All notes are published beside the tables."""
        self._notes.append(note)

    def _publish(self) -> None:
        for table in log_tables(self.declaration):
            if not (self.partial / f"{table.name}.parquet").exists():
                raise DatasetError(f"table {table.name} was not written")
        (self.partial / DECLARATION_FILE).write_text(declaration_to_json(self.declaration))
        if self._notes:
            write_notes(self.partial, self._notes)
        retired = self.out.with_name(f".{self.out.name}.{os.getpid()}.old")
        if self.out.exists():
            self.out.rename(retired)
        self.partial.rename(self.out)
        shutil.rmtree(retired, ignore_errors=True)


def duckdb_type(dtype: DType) -> str:
    return {
        DType.STRING: "VARCHAR",
        DType.TIMESTAMP: "TIMESTAMPTZ",
        DType.MONEY: "DECIMAL(12,2)",
        DType.FLOAT32: "FLOAT",
        DType.FLOAT64: "DOUBLE",
        DType.BOOL: "BOOLEAN",
        DType.INT32: "INTEGER",
        DType.INT64: "BIGINT",
        DType.STRING_LIST: "VARCHAR[]",
        DType.INT64_LIST: "BIGINT[]",
        DType.FLOAT32_LIST: "FLOAT[]",
    }[dtype]


def _check(connection: duckdb.DuckDBPyConnection, table: Table, path: Path) -> None:
    _check_values(connection, table, path)
    key = ", ".join(f'"{name}"' for name in table.key)
    twice = connection.execute(
        f"SELECT {key}, count(*) FROM read_parquet('{path}') GROUP BY {key} HAVING count(*) > 1 LIMIT 1"
    ).fetchall()
    if twice:
        raise DatasetError(f"table {table.name}: key ({key}) = {twice[0][:-1]} occurs {twice[0][-1]} times")
    if table.name == "impressions":
        _check_slate_sizes(connection, path)


def _check_values(connection: duckdb.DuckDBPyConnection, table: Table, path: Path) -> None:
    """Check all columns in one scan."""
    broken = [(c.name, "null", f'"{c.name}" IS NULL', "") for c in table.columns if not c.nullable]
    for column in table.columns:
        checks = column_checks(column, f'"{column.name}"')
        broken += [(column.name, f"not {check.text}", check.breaks, check.remedy) for check in checks]
    counts = ", ".join(f"count(*) FILTER ({breaks})" for _, _, breaks, _ in broken)
    found = connection.execute(f"SELECT {counts} FROM read_parquet('{path}')").fetchall()[0]
    for (name, problem, breaks, remedy), count in zip(broken, found, strict=True):
        if count:
            us = f'epoch_us(min("{name}"))' if table.column(name).dtype is DType.TIMESTAMP else "NULL"
            value, us_found = connection.execute(
                f"SELECT left(min(\"{name}\")::VARCHAR, 80), {us} FROM read_parquet('{path}') WHERE {breaks}"
            ).fetchall()[0]
            example = "" if value is None else f", e.g. {value!r}{unit_hint(us_found)}"
            way_out = f"; {remedy}" if remedy else ""
            raise DatasetError(f"table {table.name}, column {name!r}: {count} rows are {problem}{example}{way_out}")


def _check_slate_sizes(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    found = connection.execute(
        f"SELECT slate_id, count(*) FROM read_parquet('{path}') GROUP BY slate_id ORDER BY 2 DESC, 1 LIMIT 1"
    ).fetchall()
    if found and found[0][1] > MAX_SLATE_ITEMS:
        slate, size = found[0]
        raise DatasetError(
            f"table impressions: slate {slate!r} has {size:,} items; a slate has at most {MAX_SLATE_ITEMS:,}, "
            "because LightGBM takes no longer query group: leave the last items out, or split it"
        )
