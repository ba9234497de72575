"""Puts the accepted files of each day that is over together into one, so that months of running leave one file a day.

The new file is complete when it gets its name, and from then on its parts do not count
(:mod:`feature_repo.live.accepted_files`). So an entry is read once, whenever this is killed. Parts are removed while
nobody reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.live.accepted_files import DAY_SUFFIX, PARTS_KEY, AcceptedFiles, parts_of, write_file
from feature_repo.live.event_files import EVENTS, removing

ROWS_PER_GROUP = 100_000


def put_days_together(live_dir: Path, accepted: AcceptedFiles[Any] = EVENTS) -> int:
    """Returns the number of days that were put together; the newest day is not over. Raises OSError, pa.ArrowException.

    Only the consumer may call this, and only while none of its batches is pending.
    """
    by_day: dict[Path, list[Path]] = {}
    for path in accepted.files(live_dir):
        by_day.setdefault(path.parent, []).append(path)
    newest = max(by_day, default=None)
    many = [files for day, files in by_day.items() if day != newest and len(files) > 1]
    for files in many:
        _put_together(files, accepted.schema)
    _remove_parts(live_dir, accepted)
    return len(many)


def _put_together(files: Sequence[Path], schema: pa.Schema) -> None:
    ordered = sorted(files, key=_first_id)  # in the order of acceptance
    first, last = _ids(ordered[0])[0], max((_last_id(path), _ids(path)[1]) for path in ordered)[1]
    final = ordered[0].with_name(f"{first}_{last}{DAY_SUFFIX}")
    parts = {path.name for path in ordered}
    parts |= {part.name for path in ordered if path.name.endswith(DAY_SUFFIX) for part in parts_of(path)}
    metadata = {PARTS_KEY: json.dumps(sorted(parts - {final.name})).encode()}
    write_file(final, schema.with_metadata(metadata), _row_groups(ordered, schema))


def _row_groups(files: Sequence[Path], schema: pa.Schema) -> Iterator[pa.Table]:
    waiting: list[pa.Table] = []
    for path in files:
        waiting.append(pq.read_table(path, schema=schema, partitioning=None).replace_schema_metadata(None))
        if sum(map(len, waiting)) >= ROWS_PER_GROUP:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _remove_parts(live_dir: Path, accepted: AcceptedFiles[Any]) -> None:
    """Also what an interrupted write left."""
    folder = accepted.folder(live_dir)
    listed = set(accepted.files(live_dir))
    old = [path for path in folder.glob("day=*/*.parquet") if path not in listed]
    old += folder.glob("day=*/.*.part")
    if not old:
        return
    try:
        with removing(live_dir):
            for path in old:
                path.unlink(missing_ok=True)
    except BlockingIOError:
        return  # somebody reads: next time


def _ids(path: Path) -> list[str]:
    """The stream ids in the file's name: the first and the last."""
    return path.name.removesuffix(".parquet").removesuffix(".day").split("_")


def _first_id(path: Path) -> tuple[int, ...]:
    return tuple(map(int, _ids(path)[0].split("-")))


def _last_id(path: Path) -> tuple[int, ...]:
    return tuple(map(int, _ids(path)[1].split("-")))
