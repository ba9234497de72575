"""Converts timestamps to microseconds or whole seconds since 1970-01-01 UTC, and to the bytes that Redis stores."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_repo.online.redis_format.byte_columns import fixed_width, masked, memory_of
from feature_repo.online.redis_format.protobuf_wire import VARINT, tag, varint_cells

UNKNOWN = int(np.iinfo(np.int64).min)  # no created timestamp: older than every known one
SECOND = 1_000_000

_PER_UNIT = {"s": SECOND, "ms": 1_000, "us": 1}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH).days * 86_400 * SECOND
_LAST = ((datetime.max.replace(tzinfo=UTC) - _EPOCH).days + 1) * 86_400 * SECOND - 1
_SIGN = np.uint64(1 << 63)


class BadTimestamp(ValueError):
    """A timestamp column cannot be stored. The message says why."""


def microseconds(column: pa.Array, *, nullable: bool = False) -> NDArray[np.int64]:
    """(n,) microseconds of a timestamp column of any unit and zone, rounded down. A naive timestamp is UTC.

    A null is UNKNOWN if ``nullable``. Raises BadTimestamp for another type, a null, or a year that a protobuf Timestamp
    cannot hold.
    """
    if not pa.types.is_timestamp(column.type):
        raise BadTimestamp(f"its type is {column.type}, not timestamp")
    if column.null_count and not nullable:
        raise BadTimestamp(f"{column.null_count} of {len(column)} values are null")
    raw = _raw(column)
    known = raw != UNKNOWN
    if column.type.unit == "ns":
        micros = raw // 1_000
    else:
        per_unit = _PER_UNIT[column.type.unit]
        micros = np.clip(raw, _FIRST // per_unit - 1, _LAST // per_unit + 1) * per_unit
    if not np.all((micros[known] >= _FIRST) & (micros[known] <= _LAST)):
        raise BadTimestamp("it holds a year outside of 1 to 9999")
    return np.where(known, micros, UNKNOWN)


def seconds(column: pa.Array) -> NDArray[np.int64]:
    """(n,) whole seconds of a timestamp column, rounded down. A null is the minimum of int64, as in Feast."""
    raw = _raw(column)
    unit = column.type.unit
    whole = raw if unit == "s" else raw // {"ms": 1_000, "us": SECOND, "ns": 1_000 * SECOND}[unit]
    return np.where(raw == UNKNOWN, UNKNOWN, whole)


def _raw(column: pa.Array) -> NDArray[np.int64]:
    numbers = pc.fill_null(column.cast(pa.int64()), UNKNOWN)
    array: NDArray[np.int64] = numbers.to_numpy()
    return array


def datetime_microseconds(timestamp: datetime) -> int:
    """The microseconds of a datetime. A naive datetime is UTC."""
    aware = timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)
    elapsed = aware - _EPOCH
    return (elapsed.days * 86_400 + elapsed.seconds) * SECOND + elapsed.microseconds


def timestamp_protos(micros: NDArray[np.int64]) -> pa.LargeBinaryArray:
    """(n,) -> n serialized ``google.protobuf.Timestamp``: seconds and nanoseconds. A 0 is left out."""
    whole, rest = micros // SECOND, micros % SECOND * 1_000
    cells, mask = [], []
    for number, values in ((1, whole), (2, rest)):
        digits, used = varint_cells(values)
        head = np.full((len(values), 1), tag(number, VARINT)[0], np.uint8)
        cells += [head, digits]
        present = (values != 0)[:, None]
        mask += [present, used & present]
    return masked(np.hstack(cells), np.hstack(mask))


def created_timestamps(micros: NDArray[np.int64]) -> pa.LargeBinaryArray:
    """(n,) -> n strings of 8 bytes that sort like the numbers. UNKNOWN is eight zeros."""
    return fixed_width(memory_of((micros.view(np.uint64) ^ _SIGN).astype(">u8")))
