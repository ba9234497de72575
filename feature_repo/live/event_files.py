"""Accepted events as parquet: one file per drained batch and UTC day of receipt. A file is complete or absent.

    <live_dir>/events/day=2026-11-21/<first>_<last>.parquet         ids of the batch's first and last stream entry
    <live_dir>/events/day=2026-11-21/<first>_<last>.day.parquet     the files of a day that is over, together

The same batch always gives the same file names and rows. So a batch that is drained again replaces its own files. A
file of a whole day names its parts in its metadata, and these do not count any more (:mod:`feature_repo.live.day_files`
makes it and removes them). Who reads more than one file holds the lock :func:`reading`, so that none is removed.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.live.event import LiveEvent
from feature_repo.schema import Declaration, events_table
from infra.durable_file import replace_durably, sync

SCHEMA = events_table(Declaration("live", "accepted events")).arrow  # the same for all data sets
DAY_US = 24 * 3600 * 1_000_000
EPOCH = date(1970, 1, 1)
UNWRITABLE = (pa.ArrowException, ValueError, OverflowError, ArithmeticError)
DAY_SUFFIX = ".day.parquet"
PARTS_KEY = b"parts"
LOCK_FILE = ".reading.lock"


def event_folder(live_dir: Path) -> Path:
    return live_dir / "events"


def event_files(live_dir: Path) -> list[Path]:
    """The files that together have each accepted event once, oldest day first. Raises pa.ArrowException, OSError."""
    found = sorted(event_folder(live_dir).glob("day=*/*.parquet"))
    merged = {part for path in found if path.name.endswith(DAY_SUFFIX) for part in parts_of(path)}
    return [path for path in found if path not in merged]


def parts_of(day_file: Path) -> set[Path]:
    """The files whose events are in this one. Raises pa.ArrowException, OSError."""
    names = json.loads((pq.read_schema(day_file).metadata or {}).get(PARTS_KEY, b"[]"))
    return {day_file.with_name(name) for name in names}


@contextmanager
def reading(live_dir: Path) -> Iterator[None]:
    """While this lock is held, no event file is removed. Any number of readers may hold it."""
    with _locked(live_dir, fcntl.LOCK_SH):
        yield


@contextmanager
def removing(live_dir: Path) -> Iterator[None]:
    """The lock of who removes event files. Raises BlockingIOError while somebody reads."""
    with _locked(live_dir, fcntl.LOCK_EX | fcntl.LOCK_NB):
        yield


@contextmanager
def _locked(live_dir: Path, kind: int) -> Iterator[None]:
    folder = event_folder(live_dir)
    if not folder.exists():  # nothing to read or to remove yet
        yield
        return
    with (folder / LOCK_FILE).open("w") as file:
        fcntl.flock(file, kind)
        yield


def write_batch(live_dir: Path, first: str, last: str, events: Sequence[tuple[int, LiveEvent]]) -> list[Path]:
    """Write one batch of (received timestamp in µs, event). ``first``, ``last``: its first and last stream id.

    A batch that is drained again after its day was put together is not written again. Raises UNWRITABLE if a value
    does not fit into its column.
    """
    by_day: dict[int, list[tuple[int, LiveEvent]]] = defaultdict(list)
    for received_us, event in events:
        by_day[received_us // DAY_US].append((received_us, event))
    return [_write(live_dir, day, f"{first}_{last}.parquet", part) for day, part in sorted(by_day.items())]


def _write(live_dir: Path, day: int, name: str, events: Sequence[tuple[int, LiveEvent]]) -> Path:
    path = event_folder(live_dir) / f"day={(EPOCH + timedelta(days=day)).isoformat()}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not any(path in parts_of(day_file) for day_file in path.parent.glob(f"*{DAY_SUFFIX}")):
        write_file(path, SCHEMA, [event_table(events)])  # Redis deletes the events after this
    return path


def write_file(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    """Write ``tables`` as row groups. Afterwards the file is on disk, also after a power failure."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    with partial.open("wb") as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)
    replace_durably(partial, path)
    for folder in (path.parent.parent, path.parent.parent.parent):  # they may be new
        sync(folder)


def event_table(events: Sequence[tuple[int, LiveEvent]]) -> pa.Table:
    return pa.Table.from_pylist([_row(received_us, event) for received_us, event in events], schema=SCHEMA)


def _row(received_us: int, event: LiveEvent) -> dict[str, Any]:
    fields = msgspec.structs.asdict(event)
    fields |= {name: _money(fields[name]) for name in ("value", "price")}
    return fields | {"event_ts": fields["event_us"], "received_ts": received_us}


def _money(cents: int | None) -> Decimal | None:
    return None if cents is None else Decimal(cents).scaleb(-2)
