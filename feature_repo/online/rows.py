"""Rows of one feature view, with every column in the encoding of Feast's Redis store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import numpy as np
import pandas as pd
import pyarrow as pa
from feast import FeatureView, ValueType
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.helpers import _mmh3
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from feature_repo.online.redis_format import timestamps
from feature_repo.online.redis_format.byte_columns import BYTES
from feature_repo.online.redis_format.encoding import BadColumn, encode
from feature_repo.online.redis_format.entity_keys import SERIALIZATION_VERSION, BadJoinKey, redis_keys

FeastRow = tuple[EntityKey, dict[str, Value], datetime, datetime | None]
"""A row as Feast passes it to an online store: key, features, event timestamp, created timestamp."""


class BadRows(ValueError):
    """The rows cannot be stored. The message names the view and the column."""


@dataclass(frozen=True)
class Rows:
    """``keys``, ``event``, ``created`` and each of ``values``: (n,) byte strings.

    ``view`` is the stored name of the view. ``values``: feature name -> column.
    """

    view: str
    keys: pa.LargeBinaryArray
    event: pa.LargeBinaryArray
    created: pa.LargeBinaryArray
    values: Mapping[str, pa.LargeBinaryArray]

    def __len__(self) -> int:
        return len(self.keys)


def event_field(view: str) -> bytes:
    """The hash field of the event timestamp, as in Feast."""
    return f"_ts:{view}".encode()


def created_field(view: str) -> bytes:
    """The hash field of the created timestamp, which Feast does not have."""
    return f"_ct:{view}".encode()


def feature_field(view: str, feature: str) -> bytes:
    """The hash field of a feature, as in Feast."""
    field: bytes = _mmh3(f"{view}:{feature}")
    return field


@dataclass(frozen=True)
class Layout:
    """The columns of a view's batches, and the view's stored name."""

    view: str
    project: str
    join_keys: Mapping[str, ValueType]
    features: Mapping[str, ValueType]
    event_column: str
    created_column: str | None


def layout_of(view: FeatureView, project: str, stored_name: str) -> Layout:
    """The layout of batches with the view's column names."""
    source = view.batch_source
    return Layout(
        view=stored_name,
        project=project,
        join_keys={field.name: field.dtype.to_value_type() for field in view.entity_columns},
        features={field.name: field.dtype.to_value_type() for field in view.features},
        event_column=source.timestamp_field,
        created_column=source.created_timestamp_column or None,
    )


def rows_of_batch(batch: pa.RecordBatch, layout: Layout) -> Rows:
    """Encode one batch. Raises BadRows."""
    try:
        keys = {name: (_column(batch, name), kind) for name, kind in layout.join_keys.items()}
        values = {name: _encoded(batch, name, kind) for name, kind in layout.features.items()}
        event = timestamps.timestamp_protos(_microseconds(batch, layout.event_column))
        if layout.created_column is None:
            created = np.full(batch.num_rows, timestamps.UNKNOWN)
        else:
            created = _microseconds(batch, layout.created_column, nullable=True)
        return Rows(
            layout.view, redis_keys(keys, layout.project), event, timestamps.created_timestamps(created), values
        )
    except (BadColumn, BadJoinKey) as error:
        raise BadRows(f"feature view {layout.view}: {error}") from error


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    if name not in batch.schema.names:
        raise BadColumn(f"there is no column {name}; there are {', '.join(batch.schema.names)}")
    return batch.column(name)


def _encoded(batch: pa.RecordBatch, name: str, kind: ValueType) -> pa.LargeBinaryArray:
    try:
        return encode(_column(batch, name), kind)
    except BadColumn as error:
        raise BadColumn(f"feature {name}: {error}") from error


def _microseconds(batch: pa.RecordBatch, name: str, *, nullable: bool = False) -> np.ndarray:
    try:
        return timestamps.microseconds(_column(batch, name), nullable=nullable)
    except timestamps.BadTimestamp as error:
        raise BadColumn(f"timestamp {name}: {error}") from error


def rows_of_feast(data: Sequence[FeastRow], project: str, stored_name: str) -> Iterator[Rows]:
    """One Rows object per run of consecutive rows with the same features."""
    for names, run in groupby(data, key=lambda row: tuple(row[1])):
        rows = list(run)
        created = [timestamps.UNKNOWN if pd.isna(row[3]) else timestamps.datetime_microseconds(row[3]) for row in rows]
        yield Rows(
            view=stored_name,
            keys=pa.array([_redis_key(row[0], project) for row in rows], BYTES),
            event=timestamps.timestamp_protos(np.array([_event(row, stored_name) for row in rows])),
            created=timestamps.created_timestamps(np.array(created)),
            values={name: pa.array([row[1][name].SerializeToString() for row in rows], BYTES) for name in names},
        )


def _redis_key(key: EntityKey, project: str) -> bytes:
    serialized: bytes = serialize_entity_key(key, SERIALIZATION_VERSION)
    return serialized + project.encode()


def _event(row: FeastRow, view: str) -> int:
    if pd.isna(row[2]):
        raise BadRows(f"feature view {view}: a row has no event timestamp")
    return timestamps.datetime_microseconds(row[2])
