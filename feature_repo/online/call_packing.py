"""Packs many rows into few EVALSHA commands of the Redis protocol, column by column, without a loop over rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from feature_repo.online.newest_wins import digest, runs
from feature_repo.online.redis_format.byte_columns import (
    BYTES,
    content,
    fixed_width,
    joined,
    lengths,
    memory_of,
    positions,
)
from feature_repo.online.rows import Rows, created_field, event_field, feature_field

_SMALL = 512
_HEADS = pa.array([b"$%d\r\n" % size for size in range(_SMALL)], BYTES)


def bulk_string(value: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(value), value)


def bulk_strings(values: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
    """(n,) values -> n bulk strings."""
    sizes = lengths(values)
    if sizes.max(initial=0) < _SMALL:
        return joined(_HEADS.take(pa.array(sizes)), values, b"\r\n")
    return joined(b"$", pa.array(sizes).cast(pa.string()).cast(BYTES), b"\r\n", values, b"\r\n")


def packed_rows(rows: Rows) -> tuple[list[str], pa.LargeBinaryArray]:
    """The struct formats with which the script unpacks a row, and (n,) rows as one string each."""
    cells = [_cell(column) for column in (rows.event, rows.created, *rows.values.values())]
    formats = [kind for kind, _ in cells]
    groups = [formats[:2], *(formats[2 + run.start : 2 + run.stop] for run in runs(len(rows.values)))]
    return ["<" + "".join(group) for group in groups], joined(*(part for _, parts in cells for part in parts))


def _cell(column: pa.LargeBinaryArray) -> tuple[str, tuple[pa.LargeBinaryArray, ...]]:
    """A format of Lua's struct and the bytes that it reads.

    If all strings have the same length, these are the strings; otherwise each string follows its length.
    """
    sizes = lengths(column)
    width = int(sizes[0])
    if width and not np.any(sizes != width):
        return f"c{width}", (column,)
    return "I4c0", (fixed_width(memory_of(sizes.astype("<u4"))), column)


def common_arguments(rows: Rows, formats: list[str], key_ttl_seconds: int) -> list[bytes]:
    """The script's arguments before the rows."""
    fields = [feature_field(rows.view, name) for name in rows.values]
    timestamps = [event_field(rows.view), created_field(rows.view), b"%d" % key_ttl_seconds]
    return [*timestamps, *fields, *(text.encode() for text in formats)]


def calls(rows: Rows, rows_per_call: int, key_ttl_seconds: int) -> Iterator[bytes]:
    """EVALSHA commands of at most ``rows_per_call`` rows each, in the order of the rows."""
    if not len(rows):
        return
    formats, packed = packed_rows(rows)
    shared = common_arguments(rows, formats, key_ttl_seconds)
    name = bulk_string(b"EVALSHA") + bulk_string(digest(len(rows.values)).encode())
    common = b"".join(map(bulk_string, shared))
    keys, arguments = bulk_strings(rows.keys), bulk_strings(packed)
    key_starts, argument_starts = positions(keys).tolist(), positions(arguments).tolist()
    key_bytes, argument_bytes = memoryview(content(keys)), memoryview(content(arguments))
    for first in range(0, len(rows), rows_per_call):
        last = min(first + rows_per_call, len(rows))
        count = last - first
        yield b"".join(
            (
                b"*%d\r\n" % (3 + len(shared) + 2 * count),
                name,
                bulk_string(b"%d" % count),
                key_bytes[key_starts[first] : key_starts[last]],
                common,
                argument_bytes[argument_starts[first] : argument_starts[last]],
            )
        )
