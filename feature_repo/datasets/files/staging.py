"""The working tables of an import: parquet files in a scratch folder, because they may not fit into memory."""

from __future__ import annotations

import sys
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import duckdb

from feature_repo.datasets.import_notes import ImportNote
from feature_repo.datasets.log_writer import LogWriter


class Staging:
    """``folder``: the scratch folder."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path, log: LogWriter) -> None:
        self.connection = connection
        self.folder = folder
        self._log = log
        self._saved = 0
        self._said: list[str] = []
        self.opened: dict[Hashable, Any] = {}  # what several entries of the mapping read

    def save(self, name: str, query: str) -> None:
        """Write the rows of ``query``; the view ``name`` reads them. A view of that name may be read by the query."""
        self._saved += 1
        path = str(self.folder / f"{self._saved:03}-{name}.parquet").replace("'", "''")
        self.connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
        self.connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT * FROM read_parquet('{path}')")

    def view(self, name: str, query: str) -> None:
        self.connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {query}")

    def row(self, query: str) -> tuple[Any, ...]:
        """The only row of the query."""
        found: tuple[Any, ...] = self.connection.execute(query).fetchall()[0]
        return found

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self.connection.execute(query).fetchall()
        return found

    def count(self, relation: str, where: str = "true") -> int:
        return int(self.row(f"SELECT count(*) FROM {relation} WHERE {where}")[0])

    def note(self, table: str, what: str, count: int, why: str, example: str = "") -> None:
        """What was dropped or mended; nothing where ``count`` is 0."""
        if count:
            self._log.note(ImportNote(table, what, count, why, example))
            self._said.append(f"  {table}: {count:,} {what}: {why}{f' (e.g. {example})' if example else ''}")

    def print_notes(self) -> None:
        print("dropped, mended or made:", *(self._said or ["  nothing"]), sep="\n", file=sys.stderr)

    def note_where(self, table: str, relation: str, where: str, example: str, what: str, why: str) -> None:
        """A note on the rows of ``relation`` that are ``where``. ``example``: SQL of one of them as text."""
        count, shown = self.row(f"SELECT count(*), min({example}) FROM {relation} WHERE {where}")
        self.note(table, what, int(count), why, shown or "")
