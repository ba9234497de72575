"""Encodes feature columns as the bytes of Feast's Redis store: one serialized ``feast.types.Value`` per cell.

As in Feast, a null and a NaN are the empty string, and a null inside a list is Feast's default for the type. A
combination of Arrow type and Feast type without an encoder here is converted by Feast itself, value by value. Where
Feast's conversion loses information, this module differs from it:

- integers in a column with nulls are exact (Feast converts such a column to float64);
- ``b""`` is not null, even if the batch holds no other bytes;
- timestamps in lists of nanoseconds are right (Feast stores the nanoseconds as seconds).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from feast import ValueType
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import python_values_to_proto_values
from numpy.typing import NDArray

from feature_repo.online.redis_format import timestamps
from feature_repo.online.redis_format.byte_columns import (
    BYTES,
    NOTHING,
    fixed_width,
    grouped,
    joined,
    lengths,
    memory_of,
    offsets_of,
)
from feature_repo.online.redis_format.protobuf_wire import (
    DELIMITED,
    FIXED32,
    FIXED64,
    VARINT,
    delimited_field,
    tag,
    varint_field,
    varints,
)

_ITEM = tag(1, DELIMITED)  # the tag of the only field of FloatList, StringList, ...
_EXACT_US = 1 << 53  # float64 is exact up to here; Feast converts the timestamps of a list to float64


class BadColumn(ValueError):
    """A column cannot be stored as its Feast type. The message says why."""


def encode(column: pa.Array, value_type: ValueType) -> pa.LargeBinaryArray:
    """(n,) cells -> n stored values. Raises BadColumn."""
    column = _normal(column)
    kind = column.type.value_type if _is_list(column.type) else column.type
    encoding = _ENCODINGS.get(value_type)
    encoded = encoding(column) if encoding and encoding.accepts(kind) and encoding.takes(column.type) else None
    return _by_feast(column, value_type) if encoded is None else encoded


def _normal(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if _is_list(column.type) and pa.types.is_timestamp(column.type.value_type) and column.type.value_type.unit == "ns":
        column = column.cast(pa.list_(pa.timestamp("us", column.type.value_type.tz)), safe=False)
    return column


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


# --------------------------------------------------------------------------------------- scalars


def _floats(column: pa.Array, prefix: bytes, dtype: str) -> pa.LargeBinaryArray:
    values = column.to_numpy(zero_copy_only=False)  # null becomes NaN
    head = np.broadcast_to(np.frombuffer(prefix, np.uint8), (len(values), len(prefix)))
    return fixed_width(np.hstack([head, memory_of(_as(values, dtype))]), ~np.isnan(values))


def _as(values: NDArray[np.generic], dtype: str) -> NDArray[np.generic]:
    with np.errstate(over="ignore", invalid="ignore"):  # a value too large for float32 is infinity, as in protobuf
        return values.astype(np.float64).astype(dtype)


def _integers(column: pa.Array, prefix: bytes) -> pa.LargeBinaryArray:
    return varint_field(prefix, _int64(column), column.is_valid().to_numpy(zero_copy_only=False))


def _int64(column: pa.Array) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = pc.fill_null(column.cast(pa.int64()), 0).to_numpy()
    return numbers


def _timestamps(column: pa.Array, prefix: bytes) -> pa.LargeBinaryArray:
    return varint_field(prefix, timestamps.seconds(column), np.ones(len(column), np.bool_))


def _strings(column: pa.Array, prefix: bytes) -> pa.LargeBinaryArray:
    fields = delimited_field(prefix, pc.fill_null(column.cast(BYTES), NOTHING))
    return pc.if_else(column.is_valid(), fields, NOTHING) if column.null_count else fields


# ----------------------------------------------------------------------- the elements of lists


def _float_elements(elements: pa.Array, dtype: str) -> pa.LargeBinaryArray:
    return fixed_width(memory_of(_as(elements.to_numpy(zero_copy_only=False), dtype)))


def _integer_elements(elements: pa.Array) -> pa.LargeBinaryArray | None:
    """None if there is a null, which Feast refuses among integers."""
    return None if elements.null_count else varints(_int64(elements))


def _bool_elements(elements: pa.Array) -> pa.LargeBinaryArray:
    return varints(_int64(elements))


def _string_elements(elements: pa.Array) -> pa.LargeBinaryArray:
    return delimited_field(_ITEM, pc.fill_null(elements.cast(BYTES), NOTHING))


def _timestamp_elements(elements: pa.Array) -> pa.LargeBinaryArray | None:
    """None unless Feast's float64 is exact and its rounding towards zero equals rounding down."""
    if elements.type.unit != "us":
        return None
    micros = pc.drop_null(elements).cast(pa.int64()).to_numpy()
    if len(micros) and not (micros.min() >= 0 and micros.max() < _EXACT_US):
        return None
    return varints(timestamps.seconds(elements))


def _lists(
    column: pa.Array, prefix: bytes, elements_of: Callable[[pa.Array], pa.LargeBinaryArray | None], packed: bool
) -> pa.LargeBinaryArray | None:
    """``packed``: all elements follow one tag. Otherwise each element has its own tag."""
    elements = elements_of(column.flatten())
    if elements is None:
        return None
    sizes = _int64(pc.list_value_length(column))
    bodies = grouped(elements, offsets_of(sizes))
    if packed:
        heads = varint_field(_ITEM, lengths(bodies), sizes > 0)
        bodies = joined(heads, bodies)
    fields = delimited_field(prefix, bodies)
    return pc.if_else(column.is_valid(), fields, NOTHING) if column.null_count else fields


# ---------------------------------------------------------------------------------- the choice


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_float(kind: pa.DataType) -> bool:
    return bool(pa.types.is_float32(kind) or pa.types.is_float64(kind))


def _is_int32(kind: pa.DataType) -> bool:
    return bool(pa.types.is_signed_integer(kind) and kind.bit_width <= 32)


@dataclass(frozen=True)
class _Encoding:
    """Encodes cells as one field of ``Value``, if it ``accepts`` the Arrow type of their values."""

    prefix: bytes
    accepts: Callable[[pa.DataType], bool]
    of: Callable[[pa.Array, bytes], pa.LargeBinaryArray | None]
    is_list: bool

    def takes(self, kind: pa.DataType) -> bool:
        return self.is_list == _is_list(kind)

    def __call__(self, column: pa.Array) -> pa.LargeBinaryArray | None:
        """The encoded cells, or None if Feast's own conversion is needed."""
        return self.of(column, self.prefix)


def _prefix(field: str, wire_type: int) -> bytes:
    return tag(Value.DESCRIPTOR.fields_by_name[field].number, wire_type)


def _scalar(
    field: str, wire: int, accepts: Callable[[pa.DataType], bool], of: Callable[[pa.Array, bytes], pa.LargeBinaryArray]
) -> _Encoding:
    return _Encoding(_prefix(field, wire), accepts, of, is_list=False)


def _list(
    field: str,
    accepts: Callable[[pa.DataType], bool],
    elements_of: Callable[[pa.Array], pa.LargeBinaryArray | None],
    *,
    packed: bool = True,
) -> _Encoding:
    of = partial(_lists, elements_of=elements_of, packed=packed)
    return _Encoding(_prefix(field, DELIMITED), accepts, of, is_list=True)


_ENCODINGS = {
    ValueType.FLOAT: _scalar("float_val", FIXED32, _is_float, partial(_floats, dtype="<f4")),
    ValueType.DOUBLE: _scalar("double_val", FIXED64, pa.types.is_float64, partial(_floats, dtype="<f8")),
    ValueType.INT32: _scalar("int32_val", VARINT, _is_int32, _integers),
    ValueType.INT64: _scalar("int64_val", VARINT, pa.types.is_signed_integer, _integers),
    ValueType.BOOL: _scalar("bool_val", VARINT, pa.types.is_boolean, _integers),
    ValueType.STRING: _scalar("string_val", DELIMITED, _is_text, _strings),
    ValueType.BYTES: _scalar("bytes_val", DELIMITED, _is_binary, _strings),
    ValueType.UNIX_TIMESTAMP: _scalar("unix_timestamp_val", VARINT, pa.types.is_timestamp, _timestamps),
    ValueType.FLOAT_LIST: _list("float_list_val", _is_float, partial(_float_elements, dtype="<f4")),
    ValueType.DOUBLE_LIST: _list("double_list_val", _is_float, partial(_float_elements, dtype="<f8")),
    ValueType.INT32_LIST: _list("int32_list_val", _is_int32, _integer_elements),
    ValueType.INT64_LIST: _list("int64_list_val", pa.types.is_signed_integer, _integer_elements),
    ValueType.BOOL_LIST: _list("bool_list_val", pa.types.is_boolean, _bool_elements),
    ValueType.STRING_LIST: _list("string_list_val", _is_text, _string_elements, packed=False),
    ValueType.BYTES_LIST: _list("bytes_list_val", _is_binary, _string_elements, packed=False),
    ValueType.UNIX_TIMESTAMP_LIST: _list("unix_timestamp_list_val", pa.types.is_timestamp, _timestamp_elements),
}


def _by_feast(column: pa.Array, value_type: ValueType) -> pa.LargeBinaryArray:
    try:
        protos = python_values_to_proto_values(column.to_numpy(zero_copy_only=False), value_type)
    except Exception as error:  # Feast raises AssertionError, TypeError, ValueError, KeyError and bare Exception
        raise BadColumn(f"{column.type} cannot be stored as {value_type.name}: {error}") from error
    return pa.array([proto.SerializeToString() for proto in protos], BYTES)
