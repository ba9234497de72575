"""The caller's entity rows, in any form, as Arrow tables (chunks), in order.

Chunks bound the memory of a join: its rows, their features and the engine's sorting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.offline.errors import BadEntityFrame

EVENT_TIMESTAMP = "event_timestamp"
ROWS_PER_CHUNK = 2_000_000

EntityRows: TypeAlias = pd.DataFrame | pa.Table | str


class EntityFrame:
    """``rows``: a pandas frame, an Arrow table or a SELECT statement for DuckDB.

    The entity timestamp is the column ``event_timestamp``, or else the only column of a time type. A time without a
    zone is UTC. Raises BadEntityFrame.
    """

    def __init__(self, rows: EntityRows, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._rows = rows.strip().rstrip(";") if isinstance(rows, str) else _arrow(rows)
        self.schema = self._sql_schema(self._rows) if isinstance(self._rows, str) else self._rows.schema
        repeated = sorted({name for name in self.schema.names if self.schema.names.count(name) > 1})
        if repeated:
            raise BadEntityFrame(f"the entity frame has more than one column named {', '.join(repeated)}")
        self.timestamp = _timestamp_column(self.schema)

    @property
    def names(self) -> list[str]:
        return list(self.schema.names)

    def chunks(self, rows_per_chunk: int = ROWS_PER_CHUNK) -> Iterator[pa.Table]:
        """At least one table, which is empty if the frame is empty. The entity timestamp is in UTC."""
        if isinstance(self._rows, pa.Table):
            for start in range(0, max(len(self._rows), 1), rows_per_chunk):
                yield self._in_utc(self._rows.slice(start, rows_per_chunk))
            return
        # A separate cursor, with the same memory limit: another query on the same cursor would end the stream.
        pending, pending_rows, chunks = [], 0, 0
        with self._connection.cursor() as cursor:
            cursor.execute("SET TimeZone = 'UTC'")
            for batch in cursor.sql(self._rows).to_arrow_reader(min(rows_per_chunk, 100_000)):
                pending.append(batch)
                pending_rows += len(batch)
                if pending_rows >= rows_per_chunk:
                    yield self._in_utc(pa.Table.from_batches(pending))
                    pending, pending_rows, chunks = [], 0, chunks + 1
        if pending or not chunks:
            yield self._in_utc(pa.Table.from_batches(pending, self.schema))

    def narrow(self, chunk: pa.Table, keys: Sequence[str]) -> pa.Table:
        """The columns ``row``, ``t`` and ``k0, k1, ...`` of a chunk, for :mod:`feature_repo.offline.join_sql`."""
        timestamps = chunk[self.timestamp].cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64())
        columns = {f"k{i}": chunk[key] for i, key in enumerate(keys)}
        return pa.table({"row": pa.array(np.arange(len(chunk))), "t": timestamps, **columns})

    def range(self) -> tuple[Any, Any]:
        """Earliest and latest entity timestamp, both None for an empty frame."""
        first = last = None
        for chunk in self.chunks():
            found = pc.min_max(chunk[self.timestamp]).as_py()
            if found["min"] is not None:
                first = found["min"] if first is None else min(first, found["min"])
                last = found["max"] if last is None else max(last, found["max"])
        return first, last

    def _in_utc(self, chunk: pa.Table) -> pa.Table:
        position = self.schema.get_field_index(self.timestamp)
        column = chunk.column(position)
        if column.null_count:
            raise BadEntityFrame(f"the entity frame's {self.timestamp} is null in {column.null_count} rows")
        try:
            return chunk.set_column(position, self.timestamp, _utc(column))
        except (ValueError, pa.ArrowNotImplementedError) as error:
            raise BadEntityFrame(f"the entity frame's {self.timestamp} is not a timestamp: {error}") from error

    def _sql_schema(self, sql: str) -> pa.Schema:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("SET TimeZone = 'UTC'")
                return cursor.sql(f"SELECT * FROM ({sql}) LIMIT 0").to_arrow_table().schema
        except duckdb.Error as error:
            raise BadEntityFrame(f"the entity frame's SQL fails: {error}") from error


def check_keys(frame: EntityFrame, keys: Mapping[str, str], wanted_by: str) -> None:
    """Check that the frame has all join keys, and that a key is text in both the frame and the source, or in neither.

    ``keys``: column of the frame -> DuckDB type of the source's column. Raises BadEntityFrame.
    """
    for name, source_type in keys.items():
        if name not in frame.names:
            raise BadEntityFrame(f"the entity frame has no column {name}, the join key of {wanted_by}")
        found = frame.schema.field(name).type
        # An empty column, or one with nulls only, has no type to compare.
        if not pa.types.is_null(found) and _is_text(found) != (source_type == "VARCHAR"):
            raise BadEntityFrame(f"the entity frame's {name} is {found}, but {source_type} in {wanted_by}")


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _arrow(rows: pd.DataFrame | pa.Table) -> pa.Table:
    if isinstance(rows, pa.Table):
        return rows
    try:
        return pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise BadEntityFrame(f"the entity frame has a column of mixed types: {error}") from error


def _timestamp_column(schema: pa.Schema) -> str:
    if EVENT_TIMESTAMP in schema.names:
        return EVENT_TIMESTAMP
    times = [field.name for field in schema if pa.types.is_timestamp(field.type)]
    if len(times) != 1:
        raise BadEntityFrame(f"the entity frame needs a column {EVENT_TIMESTAMP}; it has {', '.join(schema.names)}")
    return str(times[0])


def _utc(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Cast any time type to a UTC timestamp of the same unit. Text is read as ISO 8601."""
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp(column.type.unit, "UTC"))
    if _is_text(column.type):
        parsed = pd.to_datetime(column.to_pandas(), utc=True, format="ISO8601")
        return pa.chunked_array([pa.array(parsed, pa.timestamp("us", "UTC"))])
    return column.cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
