"""Accepted entries of one kind as parquet: one file per drained batch and UTC day of receipt.

    <live_dir>/<kind>/day=2026-11-21/<first>_<last>.parquet         ids of the batch's first and last stream entry
    <live_dir>/<kind>/day=2026-11-21/<first>_<last>.day.parquet     the files of a day that is over, together

A file is complete or absent. The same batch always gives the same file names and rows. So a batch that is drained again
replaces its own files. A file of a whole day names its parts in its metadata, and these do not count any more
(:mod:`feature_repo.live.day_files` makes it and removes them).
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from infra.durable_file import replace_durably, sync

DAY_US = 24 * 3600 * 1_000_000
EPOCH = date(1970, 1, 1)
UNWRITABLE = (pa.ArrowException, ValueError, OverflowError, ArithmeticError)
DAY_SUFFIX = ".day.parquet"
PARTS_KEY = b"parts"

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class AcceptedFiles(Generic[Entry]):
    """The files of one kind of entries.

    kind: name of their folder
    row:  (received timestamp in µs, entry) -> column -> value; raises one of UNWRITABLE
    """

    kind: str
    schema: pa.Schema
    row: Callable[[int, Entry], dict[str, Any]]

    def folder(self, live_dir: Path) -> Path:
        return live_dir / self.kind

    def files(self, live_dir: Path) -> list[Path]:
        """The files that together have each entry once, oldest day first. Raises pa.ArrowException, OSError."""
        found = sorted(self.folder(live_dir).glob("day=*/*.parquet"))
        merged = {part for path in found if path.name.endswith(DAY_SUFFIX) for part in parts_of(path)}
        return [path for path in found if path not in merged]

    def write_batch(self, live_dir: Path, first: str, last: str, accepted: Sequence[tuple[int, Entry]]) -> list[Path]:
        """Write one batch of (received timestamp in µs, entry). ``first``, ``last``: its first and last stream id.

        A batch that is drained again after its day was put together is not written again. Raises UNWRITABLE if a value
        does not fit into its column.
        """
        by_day: dict[int, list[tuple[int, Entry]]] = defaultdict(list)
        for received_us, entry in accepted:
            by_day[received_us // DAY_US].append((received_us, entry))
        return [self._write(live_dir, day, f"{first}_{last}.parquet", part) for day, part in sorted(by_day.items())]

    def table(self, accepted: Sequence[tuple[int, Entry]]) -> pa.Table:
        return pa.Table.from_pylist([self.row(*each) for each in accepted], schema=self.schema)

    def _write(self, live_dir: Path, day: int, name: str, accepted: Sequence[tuple[int, Entry]]) -> Path:
        path = self.folder(live_dir) / f"day={(EPOCH + timedelta(days=day)).isoformat()}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not any(path in parts_of(day_file) for day_file in path.parent.glob(f"*{DAY_SUFFIX}")):
            write_file(path, self.schema, [self.table(accepted)])  # Redis deletes the entries after this
        return path


def parts_of(day_file: Path) -> set[Path]:
    """The files whose entries are in this one. Raises pa.ArrowException, OSError."""
    names = json.loads((pq.read_schema(day_file).metadata or {}).get(PARTS_KEY, b"[]"))
    return {day_file.with_name(name) for name in names}


def write_file(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    """Write ``tables`` as row groups. Afterwards the file is on disk, also after a power failure."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    with partial.open("wb") as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)
    replace_durably(partial, path)
    for folder in (path.parent.parent, path.parent.parent.parent):  # they may be new
        sync(folder)
