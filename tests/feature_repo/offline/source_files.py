"""Writes the rows of a view as parquet, in each layout that a source may have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.feature_repo.offline.cases import KEY_KINDS, View
from tests.feature_repo.offline.oracle import CREATED, EVENT
from tests.feature_repo.offline.value_types import VALUE_TYPES

TIMESTAMPS = {
    "utc": pa.timestamp("us", "UTC"),
    "zone": pa.timestamp("us", "America/New_York"),
    "naive": pa.timestamp("us"),
    "ns": pa.timestamp("ns", "UTC"),
    "naive ns": pa.timestamp("ns"),
}
LAYOUTS = ("file", "folder", "nested", "glob", "hive")


def file_columns(view: View) -> dict[str, pa.DataType]:
    """Feast's name of a column -> its type in the files."""
    at = TIMESTAMPS[view.storage.timestamp]
    return {
        **{key: VALUE_TYPES[KEY_KINDS[key]].arrow for key in view.keys},
        EVENT: at,
        **({CREATED: at} if view.has_created else {}),
        **{name: VALUE_TYPES[kind].arrow for name, kind in view.kinds.items()},
    }


def write(view: View, folder: Path) -> str:
    """Write the files. Returns the path for the view's FileSource."""
    storage = view.storage
    folder.mkdir(parents=True)
    for part in range(storage.files):
        rows = [
            view.rows[i] for i in storage.order or range(len(view.rows)) if (storage.parts or (0,) * (i + 1))[i] == part
        ]
        _write_part(view, rows, _part_file(folder, storage.layout, part), reverse=part % 2 == 1)
    if storage.layout == "file":
        return str(folder / "0.parquet")
    return str(folder / "*.parquet") if storage.layout == "glob" else str(folder)


def _part_file(folder: Path, layout: str, part: int) -> Path:
    if layout == "hive":
        return folder / f"bucket={part}" / "rows.parquet"
    if layout == "nested":
        return folder / f"{part % 2}" / f"{part}.parquet"
    return folder / f"{part}.parquet"


def _write_part(view: View, rows: Sequence[Mapping[str, Any]], path: Path, *, reverse: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = file_columns(view)
    names = list(reversed(columns)) if reverse else list(columns)
    arrays = {view.storage.renamed.get(n, n): _array([row[n] for row in rows], columns[n]) for n in names}
    pq.write_table(pa.table(arrays), path, row_group_size=2)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind) and kind.tz is None:
        values = [None if value is None else value.replace(tzinfo=None) for value in values]
    return pa.array(values, kind)
