"""Joins entity rows with any number of feature views, chunk by chunk and view by view.

The join of a view yields (row, features) for the rows that have a value, in any order. The row numbers restore the
caller's order, so that no wide rows are sorted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.offline.entity_frame import EntityFrame
from feature_repo.offline.join_sql import ROW, Source, joined


@dataclass(frozen=True)
class ViewJoin:
    """One feature view of a retrieval.

    ``keys``: columns of the frame, in the order of ``source.keys``. ``columns``: output name -> the source's name.
    """

    source: Source
    keys: tuple[str, ...]
    columns: dict[str, str]
    ttl_us: int | None


def join(
    connection: duckdb.DuckDBPyConnection,
    frame: EntityFrame,
    views: Sequence[ViewJoin],
    *,
    known_when_scored: bool,
    rows_per_chunk: int,
) -> Iterator[pa.Table]:
    """One table per chunk: every entity row once, in order, with the features of all views."""
    for chunk in frame.chunks(rows_per_chunk):
        table = chunk
        for view in views:
            for name, column in _features(connection, frame, chunk, view, known_when_scored).items():
                table = table.append_column(name, column)
        yield table


def _features(
    connection: duckdb.DuckDBPyConnection, frame: EntityFrame, chunk: pa.Table, view: ViewJoin, known_when_scored: bool
) -> dict[str, pa.Array]:
    rows = frame.narrow(chunk, view.keys)
    timestamps = pc.min_max(rows["t"]).as_py()
    first, last = timestamps["min"] or 0, timestamps["max"] or 0  # without rows the query still gives the types
    source = replace(view.source, first_us=first - view.ttl_us if view.ttl_us else None, last_us=last)
    connection.register("entity_rows", rows)
    sql = joined(source, view.columns, view.ttl_us, known_when_scored=known_when_scored)
    found = connection.sql(sql).to_arrow_table()
    connection.unregister("entity_rows")
    positions = np.full(len(chunk), -1)
    positions[found[ROW].to_numpy()] = np.arange(len(found))
    # A null index means that the entity row has no value.
    indices = pa.array(positions, mask=positions < 0)
    return {name: found[name].combine_chunks().take(indices) for name in view.columns}
