"""The Protocol Buffers wire format for whole columns: varints, tags, and length-delimited fields.

https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo.online.redis_format.byte_columns import Mask, Matrix, joined, lengths, masked

VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5


def tag(field_number: int, wire_type: int) -> bytes:
    """The bytes before a field's value: its number and wire type."""
    number, out = field_number << 3 | wire_type, b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def varint_cells(numbers: NDArray[np.int64]) -> tuple[Matrix, Mask]:
    """``numbers``: (n,) signed -> (n, width) bytes, and which of them are used. A negative number uses ten bytes."""
    unsigned = numbers.view(np.uint64)
    maximum = int(unsigned.max()) if len(unsigned) else 0
    width = max(1, -(-maximum.bit_length() // 7))
    groups = unsigned[:, None] >> (np.arange(width, dtype=np.uint64) * np.uint64(7))  # (n, width)
    used = groups != 0
    used[:, 0] = True
    cells = (groups & np.uint64(0x7F)).astype(np.uint8)
    cells[:, :-1] |= used[:, 1:].astype(np.uint8) << 7
    return cells, used


def varints(numbers: NDArray[np.int64]) -> pa.LargeBinaryArray:
    """(n,) signed numbers -> n varints."""
    return masked(*varint_cells(numbers))


def varint_field(prefix: bytes, numbers: NDArray[np.int64], present: Mask) -> pa.LargeBinaryArray:
    """``prefix`` and the number where ``present``, else an empty string. ``numbers``, ``present``: (n,)."""
    cells, used = varint_cells(numbers)
    head = np.broadcast_to(np.frombuffer(prefix, np.uint8), (len(numbers), len(prefix)))
    mask = np.hstack([np.ones(head.shape, np.bool_), used]) & present[:, None]
    return masked(np.hstack([head, cells]), mask)


def delimited_field(prefix: bytes, bodies: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
    """Each string: ``prefix``, then the length of the body, then the body."""
    return joined(prefix, varints(lengths(bodies)), bodies)
