"""Feast's Redis keys for many rows: the serialized entity key (version 3), then the project.

number of join keys, then per join key, sorted by name:  type (string), length, name
then per value, in the same order:                       type, length, value

Counts, types and lengths are little-endian uint32.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from struct import pack

import pyarrow as pa
from feast import ValueType
from feast.infra.key_encoding_utils import _serialize_val, serialize_entity_key_prefix
from feast.type_map import python_values_to_proto_values

from feature_repo.online.redis_format import timestamps
from feature_repo.online.redis_format.byte_columns import BYTES, fixed_width, joined, lengths, memory_of

SERIALIZATION_VERSION = 3


class BadJoinKey(ValueError):
    """A column cannot be part of an entity key. The message names the column and says why."""


def redis_keys(join_keys: Mapping[str, tuple[pa.Array, ValueType]], project: str) -> pa.LargeBinaryArray:
    """``join_keys``: name -> (n,) values and their Feast type -> n keys. Raises BadJoinKey."""
    names = sorted(join_keys)
    values = [_value(name, *join_keys[name]) for name in names]
    return joined(serialize_entity_key_prefix(names, SERIALIZATION_VERSION), *values, project.encode())


def key_pattern(join_keys: Sequence[str], project: str) -> bytes:
    """The pattern for SCAN that matches the keys of ``project``, and of projects whose name ends with this one's."""
    prefix: bytes = serialize_entity_key_prefix(sorted(join_keys), SERIALIZATION_VERSION)
    return re.sub(rb"([*?\[\]\\])", rb"\\\1", prefix) + b"*" + project.encode()


def ids_in(key: bytes, join_keys: Sequence[str], project: str) -> list[bytes] | None:
    """The values of string ``join_keys``, in the order of their names; None for the key of other ones or projects."""
    prefix = serialize_entity_key_prefix(sorted(join_keys), SERIALIZATION_VERSION)
    if not key.startswith(prefix):
        return None
    end, found = len(prefix), []
    for _ in join_keys:
        start = end + 8  # after type and length
        if key[end : end + 4] != pack("<I", ValueType.STRING.value):
            return None
        end = start + int.from_bytes(key[end + 4 : start], "little")
        found.append(key[start:end])
    return found if key[end:] == project.encode() else None


def _value(name: str, column: pa.Array, value_type: ValueType) -> pa.LargeBinaryArray:
    if column.null_count:
        raise BadJoinKey(f"join key {name}: {column.null_count} of {len(column)} values are null")
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    raw = _RAW.get((value_type, column.type.id))
    return _with_type(raw(column), value_type) if raw else _by_feast(name, column, value_type)


def _with_type(values: pa.LargeBinaryArray, value_type: ValueType) -> pa.LargeBinaryArray:
    return joined(pack("<I", value_type.value), fixed_width(memory_of(lengths(values).astype("<u4"))), values)


def _text(column: pa.Array) -> pa.LargeBinaryArray:
    return column.cast(BYTES)


def _number(column: pa.Array) -> pa.LargeBinaryArray:
    numbers = column.to_numpy()
    return fixed_width(memory_of(numbers.astype(numbers.dtype.newbyteorder("<"))))


def _timestamp(column: pa.Array) -> pa.LargeBinaryArray:
    return fixed_width(memory_of(timestamps.seconds(column).astype("<i8")))


_RAW: dict[tuple[ValueType, int], Callable[[pa.Array], pa.LargeBinaryArray]] = {
    (ValueType.STRING, pa.string().id): _text,
    (ValueType.STRING, pa.large_string().id): _text,
    (ValueType.BYTES, pa.binary().id): _text,
    (ValueType.BYTES, pa.large_binary().id): _text,
    (ValueType.INT32, pa.int32().id): _number,
    (ValueType.INT64, pa.int64().id): _number,
    (ValueType.UNIX_TIMESTAMP, pa.timestamp("us").id): _timestamp,
}


def _by_feast(name: str, column: pa.Array, value_type: ValueType) -> pa.LargeBinaryArray:
    try:
        protos = python_values_to_proto_values(column.to_numpy(zero_copy_only=False), value_type)
        parts = [_serialize_val(proto.WhichOneof("val"), proto, SERIALIZATION_VERSION) for proto in protos]
    except Exception as error:  # Feast raises AssertionError, TypeError, ValueError, KeyError and bare Exception
        raise BadJoinKey(f"join key {name}: {column.type} cannot be stored as {value_type.name}: {error}") from error
    return pa.array([pack("<II", kind, len(value)) + value for value, kind in parts], BYTES)
