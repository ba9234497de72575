"""Accepted events as parquet: one file per drained batch and UTC day of receipt. A file is complete or absent.

    <live_dir>/events/day=2026-11-21/<first>_<last>.parquet     ids of the batch's first and last stream entry

The same batch always gives the same file names and rows. So a batch that is drained again replaces its own files.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.live.event import LiveEvent
from feature_repo.schema import Declaration, events_table

SCHEMA = events_table(Declaration("live", "accepted events")).arrow  # the same for all data sets
DAY_US = 24 * 3600 * 1_000_000


def event_folder(live_dir: Path) -> Path:
    return live_dir / "events"


def event_files(live_dir: Path) -> list[Path]:
    """All complete files, oldest day first."""
    return sorted(event_folder(live_dir).glob("day=*/*.parquet"))


def write_batch(live_dir: Path, first: str, last: str, events: Sequence[tuple[int, LiveEvent]]) -> list[Path]:
    """Write one batch of (received timestamp in µs, event). ``first``, ``last``: its first and last stream id."""
    by_day: dict[int, list[tuple[int, LiveEvent]]] = defaultdict(list)
    for received_us, event in events:
        by_day[received_us // DAY_US].append((received_us, event))
    return [_write(live_dir, day, f"{first}_{last}.parquet", part) for day, part in sorted(by_day.items())]


def _write(live_dir: Path, day: int, name: str, events: Sequence[tuple[int, LiveEvent]]) -> Path:
    date = datetime.fromtimestamp(day * DAY_US // 1_000_000, UTC).date()
    path = event_folder(live_dir) / f"day={date.isoformat()}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{name}.{os.getpid()}.part")
    with partial.open("wb") as file:
        pq.write_table(_table(events), file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())  # Redis deletes the events after this
    partial.replace(path)
    for folder in (path.parent, path.parent.parent, live_dir):
        _sync(folder)
    return path


def _table(events: Sequence[tuple[int, LiveEvent]]) -> pa.Table:
    return pa.Table.from_pylist([_row(received_us, event) for received_us, event in events], schema=SCHEMA)


def _row(received_us: int, event: LiveEvent) -> dict[str, Any]:
    fields = msgspec.structs.asdict(event)
    fields |= {name: _money(fields[name]) for name in ("value", "price")}
    return fields | {"event_ts": fields["event_us"], "received_ts": received_us}


def _money(cents: int | None) -> Decimal | None:
    return None if cents is None else Decimal(cents).scaleb(-2)


def _sync(folder: Path) -> None:
    """Write the folder to disk: without it, a renamed file may be lost in a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
