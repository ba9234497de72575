"""Writes one feature table, cast to the schema of its view. The file is complete or absent."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from feature_repo.datasets.log_writer import duckdb_type
from feature_repo.definitions.view import View

ROWS_PER_BATCH = 50_000


def write_view(
    connection: duckdb.DuckDBPyConnection, view: View, queries: Iterable[str], folder: Path, created: str = ""
) -> None:
    """Write the rows of all ``queries``. Each query yields the join key, ``event_timestamp`` and the columns.

    ``created``: SQL of the created timestamp; by default the view's delay after ``event_timestamp``.

    Several queries bound the memory for a table that is too large to be computed or sorted at once. Rows are ordered
    by time within each query.
    """
    columns = ", ".join(f'CAST("{c.name}" AS {duckdb_type(c.dtype)}) AS "{c.name}"' for c in view.columns)
    created = created or f"event_timestamp + INTERVAL {int(view.publish_delay.total_seconds())} SECOND"
    keys = ", ".join(f'CAST("{name}" AS VARCHAR) AS "{name}"' for name in view.join_keys)
    path = folder / f"{view.name}.parquet"
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with pq.ParquetWriter(partial, view.arrow, compression="zstd") as writer:
            for query in queries:
                batches = connection.sql(
                    f"""
                    SELECT {keys}, event_timestamp,
                        {created} AS created_timestamp, {columns}
                    FROM ({query})
                    ORDER BY event_timestamp, {", ".join(view.join_keys)}
                    """
                ).to_arrow_reader(ROWS_PER_BATCH)
                for batch in batches:
                    writer.write_batch(batch.cast(view.arrow))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
