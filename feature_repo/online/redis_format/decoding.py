"""Decodes the values of Feast's Redis store into arrays, many at a time: the inverse of ``redis_format.encoding``.

A stored value is one serialized ``feast.types.Value``. Floats and integers of many rows are decoded together. Values
that do not have the expected form are decoded by Protocol Buffers, one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any

import numpy as np
from feast.protos.feast.types.Value_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp
from numpy.typing import NDArray

from feature_repo.online.redis_format.protobuf_wire import DELIMITED, FIXED32, VARINT, tag
from feature_repo.schema import DType
from feature_repo.slate import column_array

Stored = bytes | None
TEXTS = 10_000

_NUMBER = Value.DESCRIPTOR.fields_by_name
_FLOAT = tag(_NUMBER["float_val"].number, FIXED32)
_INT64 = tag(_NUMBER["int64_val"].number, VARINT)
_TEXT = tag(_NUMBER["string_val"].number, DELIMITED)
_NAN = _FLOAT + np.float32(np.nan).tobytes()
_UNPACK_FLOAT = Struct("<f").unpack_from
_LISTS = {
    dtype: (tag(_NUMBER[name].number, DELIMITED)[0], name)
    for dtype, name in (
        (DType.STRING_LIST, "string_list_val"),
        (DType.INT64_LIST, "int64_list_val"),
        (DType.FLOAT32_LIST, "float_list_val"),
    )
}
_VARINT_SHIFTS = np.arange(10, dtype=np.uint64) * np.uint64(7)


def floats(stored: Sequence[Stored]) -> NDArray[np.float32]:
    """(n,) floats. NaN where no value or a null is stored."""
    packed = b"".join([value or _NAN for value in stored])
    if len(packed) == 5 * len(stored):
        cells = np.frombuffer(packed, np.uint8).reshape(-1, 5)
        if np.all(cells[:, 0] == _FLOAT[0]):
            return np.ascontiguousarray(cells[:, 1:]).view("<f4").ravel()
    return np.array([_or_nan(value_of(value)) for value in stored], np.float32)


def timestamps(stored: Sequence[Stored]) -> NDArray[np.float64]:
    """(n,) values of an Int64 column as float64. NaN where no value or a null is stored."""
    found = np.full(len(stored), np.nan)
    for width, positions in _by_length(stored).items():
        cells = np.frombuffer(b"".join([stored[i] or b"" for i in positions]), np.uint8).reshape(-1, width)
        if width > 10 or not np.all(cells[:, 0] == _INT64[0]):
            found[positions] = [_or_nan(value_of(stored[i])) for i in positions]
            continue
        groups = (cells[:, 1:] & np.uint8(0x7F)).astype(np.uint64) << _VARINT_SHIFTS[: width - 1]
        found[positions] = np.bitwise_or.reduce(groups, axis=1).astype(np.float64)
    return found


def _by_length(stored: Sequence[Stored]) -> dict[int, list[int]]:
    """Number of bytes -> indices of the values with this length. Nulls are left out."""
    positions: dict[int, list[int]] = {}
    for i, value in enumerate(stored):
        if value:
            positions.setdefault(len(value), []).append(i)
    return positions


def texts(stored: Sequence[Stored]) -> NDArray[np.object_]:
    """(n,) str or None.

    Item columns have few distinct texts. Equal texts are the same object, so that later look-ups by text are fast.
    """
    found = np.empty(len(stored), object)
    for i, value in enumerate(stored):
        found[i] = _text(value) if value else None
    return found


@lru_cache(maxsize=TEXTS)
def _text(value: bytes) -> Any:
    if value[0] == _TEXT[0] and value[1] < 0x80 and len(value) == value[1] + 2:
        return value[2:].decode()
    return value_of(value)


def value_of(stored: Stored) -> Any:
    """Any stored value as a Python value. None for no value and for a null; a list for the list types."""
    if not stored:
        return None
    value = Value.FromString(stored)
    kind = value.WhichOneof("val")
    if kind is None or kind == "null_val":
        return None
    found = getattr(value, kind)
    return list(found.val) if hasattr(found, "val") else found


def value(stored: Stored, dtype: DType) -> Any:
    """``value_of`` for a column of ``dtype``. It is faster if the value has the expected form."""
    if not stored:
        return None
    kind = stored[0]
    if dtype is DType.FLOAT32 and kind == _FLOAT[0] and len(stored) == 5:
        return _UNPACK_FLOAT(stored, 1)[0]
    if dtype is DType.STRING:
        return _text(stored)
    field = _LISTS.get(dtype)
    if field is not None and kind == field[0]:
        return list(getattr(Value.FromString(stored), field[1]).val)
    return value_of(stored)


def array(stored: Sequence[Stored], dtype: DType) -> NDArray[Any]:
    """(n,) as in :func:`feature_repo.slate.column_array`."""
    decode = _ARRAYS.get(dtype)
    if decode is not None:
        return decode(stored)
    return column_array([value_of(value) for value in stored], dtype)


_ARRAYS: dict[DType, Callable[[Sequence[Stored]], NDArray[Any]]] = {
    DType.FLOAT32: floats,
    DType.INT64: timestamps,
    DType.STRING: texts,
}


def event_us(stored: Sequence[Stored]) -> NDArray[np.int64]:
    """(n,) event timestamps of ``_ts`` fields, µs since the epoch; 0 where there is none.

    The rows of a materialization mostly share a few timestamps, so each distinct one is decoded once.
    """
    known: dict[Stored, int] = {}
    found = np.empty(len(stored), np.int64)
    for i, value in enumerate(stored):
        us = known.get(value)
        if us is None:
            us = known[value] = timestamp_us(value)
        found[i] = us
    return found


def timestamp_us(stored: Stored) -> int:
    """The event timestamp of one ``_ts`` field, as in :func:`event_us`."""
    if not stored:
        return 0
    timestamp = Timestamp.FromString(stored)
    return int(timestamp.seconds * 1_000_000 + timestamp.nanos // 1_000)


def _or_nan(value: Any) -> Any:
    return np.nan if value is None else value
