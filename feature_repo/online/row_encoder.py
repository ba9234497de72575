"""Encodes one row as one command, value by value. For a single row this is faster than Arrow columns.

A request waits for this write. Redis stores the same bytes as with :mod:`feature_repo.online.call_packing`; only the
struct formats of the packed row differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import pack
from typing import Any

from feast import ValueType
from feast.infra.key_encoding_utils import serialize_entity_key_prefix
from feast.protos.feast.types.Value_pb2 import Int64List, StringList, Value
from google.protobuf.timestamp_pb2 import Timestamp

from feature_repo.definitions.view import View
from feature_repo.online.call_packing import bulk_string
from feature_repo.online.newest_wins import digest, runs
from feature_repo.online.redis_format.entity_keys import SERIALIZATION_VERSION
from feature_repo.online.rows import created_field, event_field, feature_field
from feature_repo.schema import DType

SECOND = 1_000_000
_SIGN = 1 << 63
_TEXT = "I4c0"  # format of Lua's struct: a length, then this number of bytes


class RowEncoder:
    """Encodes rows of ``view``. Its only join key must be a string.

    ``key_ttl_seconds``: time after which a written key expires, 0 for never. Raises KeyError if a column has a type
    other than FLOAT32, INT64, STRING_LIST and INT64_LIST.
    """

    def __init__(self, view: View, project: str, key_ttl_seconds: int = 0) -> None:
        self._encoders = {column.name: _ENCODERS[column.dtype] for column in view.columns}
        self._key_before = serialize_entity_key_prefix([view.join_key], SERIALIZATION_VERSION) + pack(
            "<I", ValueType.STRING.value
        )
        self._key_after = project.encode()
        features = len(view.columns)
        formats = [_TEXT * len(run) for run in runs(features)]
        fields = [feature_field(view.name, column.name) for column in view.columns]
        shared = [
            event_field(view.name),
            created_field(view.name),
            b"%d" % key_ttl_seconds,
            *fields,
            f"<{_TEXT}c8".encode(),
        ]
        shared += [f"<{text}".encode() for text in formats]
        self._head = b"*%d\r\n" % (3 + 1 + len(shared) + 1) + b"".join(
            map(bulk_string, (b"EVALSHA", digest(features).encode(), b"1"))
        )
        self._shared = b"".join(map(bulk_string, shared))

    def command(self, key: str, event_us: int, created_us: int, values: Mapping[str, Any]) -> bytes:
        """The command. ``event_us``, ``created_us``: µs since the epoch. ``values``: one per column, none is None."""
        raw = key.encode()
        stored_key = self._key_before + pack("<I", len(raw)) + raw + self._key_after
        timestamp = Timestamp(seconds=event_us // SECOND, nanos=event_us % SECOND * 1_000).SerializeToString()
        cells = [pack("<I", len(timestamp)), timestamp, pack(">Q", created_us ^ _SIGN)]
        for name, encode in self._encoders.items():
            value = encode(values[name])
            cells += (pack("<I", len(value)), value)
        return self._head + bulk_string(stored_key) + self._shared + bulk_string(b"".join(cells))


def _float(value: float) -> bytes:
    return b"\x35" + pack("<f", value)


def _int64(value: int) -> bytes:
    encoded: bytes = Value(int64_val=value).SerializeToString()
    return encoded


def _strings(value: list[str]) -> bytes:
    encoded: bytes = Value(string_list_val=StringList(val=value)).SerializeToString()
    return encoded


def _int64s(value: list[int]) -> bytes:
    encoded: bytes = Value(int64_list_val=Int64List(val=value)).SerializeToString()
    return encoded


_ENCODERS: dict[DType, Callable[[Any], bytes]] = {
    DType.FLOAT32: _float,
    DType.INT64: _int64,
    DType.STRING_LIST: _strings,
    DType.INT64_LIST: _int64s,
}
