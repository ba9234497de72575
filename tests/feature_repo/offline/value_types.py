"""The value types of generated features and join keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf, nan
from typing import Any

import pyarrow as pa
from feast.types import Array, Bool, Bytes, FeastType, Float32, Float64, Int32, Int64, String, UnixTimestamp

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ValueType:
    """``own(n)`` differs for every n (except for a bool), so that a value identifies its row. ``odd``: corner cases."""

    arrow: pa.DataType
    feast: FeastType
    own: Callable[[int], Any]
    odd: tuple[Any, ...]


VALUE_TYPES: dict[str, ValueType] = {
    "float32": ValueType(pa.float32(), Float32, lambda n: n + 0.5, (nan, inf, -0.0)),
    "float64": ValueType(pa.float64(), Float64, lambda n: n + 0.1, (nan, -inf, -0.0)),
    "int32": ValueType(pa.int32(), Int32, lambda n: n, (-(2**31), 0)),
    "int64": ValueType(pa.int64(), Int64, lambda n: 2**53 + n, (2**63 - 1, -(2**63))),
    "string": ValueType(pa.string(), String, lambda n: f"v{n}", ("", "\u00df'\"\n", "NULL")),
    "bool": ValueType(pa.bool_(), Bool, lambda n: n % 2 == 0, (False,)),
    "bytes": ValueType(pa.binary(), Bytes, lambda n: b"%d" % n, (b"", b"\x00\xff")),
    "timestamp": ValueType(
        pa.timestamp("us", "UTC"),
        UnixTimestamp,
        lambda n: EPOCH + timedelta(days=19_000, microseconds=n),
        (EPOCH - timedelta(microseconds=1),),
    ),
    "strings": ValueType(pa.list_(pa.string()), Array(String), lambda n: [f"v{n}", "x"], ([], ["", None])),
    "int64s": ValueType(pa.list_(pa.int64()), Array(Int64), lambda n: [n, 2**53 + n], ([], [-1] * 20)),
    "float32s": ValueType(pa.list_(pa.float32()), Array(Float32), lambda n: [n + 0.5], ([], [nan, -0.0])),
}


def canonical(value: Any) -> Any:
    """A form that is equal only for values with the same bits. All NaN are equal; a naive time is UTC."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return [canonical(element) for element in value]
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    return value


def storage_free(kind: pa.DataType) -> pa.DataType:
    """The type without differences between engines: the field name of a list, the width of text offsets."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(storage_free(kind.value_type))
    return {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}.get(kind, kind)
