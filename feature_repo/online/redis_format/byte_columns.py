"""Columns of byte strings, as Arrow ``large_binary`` arrays without nulls: one buffer and its offsets."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

BYTES = pa.large_binary()
NOTHING = pa.scalar(b"", BYTES)

Matrix = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Integers = NDArray[np.int64]


def memory_of(numbers: NDArray[np.generic]) -> Matrix:
    """(n,) numbers -> (n, itemsize) bytes."""
    return np.ascontiguousarray(numbers).view(np.uint8).reshape(len(numbers), numbers.itemsize)


def fixed_width(cells: Matrix, present: Mask | None = None) -> pa.LargeBinaryArray:
    """``cells``: (n, width) -> n strings of ``width`` bytes, or of none where ``present`` (n,) is False."""
    count, width = cells.shape
    if present is None or present.all():
        return ragged(cells, np.arange(count + 1, dtype=np.int64) * width)
    return ragged(cells[present], offsets_of(present * np.int64(width)))


def masked(cells: Matrix, mask: Mask) -> pa.LargeBinaryArray:
    """``cells``, ``mask``: (n, width) -> n strings, each with the bytes of its row where ``mask`` is True."""
    return ragged(cells[mask], offsets_of(mask.sum(axis=1, dtype=np.int64)))


def ragged(data: NDArray[np.generic] | pa.Buffer, offsets: Integers) -> pa.LargeBinaryArray:
    """``offsets``: (n + 1,) positions in ``data``, in bytes."""
    content = data if isinstance(data, pa.Buffer) else pa.py_buffer(np.ascontiguousarray(data))
    return pa.Array.from_buffers(BYTES, len(offsets) - 1, [None, pa.py_buffer(offsets), content])


def grouped(strings: pa.LargeBinaryArray, offsets: Integers) -> pa.LargeBinaryArray:
    """Joins runs of consecutive strings into one string each. ``offsets``: (groups + 1,) positions in ``strings``."""
    return ragged(content(strings), positions(strings)[offsets])


def joined(*parts: pa.LargeBinaryArray | bytes) -> pa.LargeBinaryArray:
    """Row-wise concatenation of columns and constants; at least one part is a column."""
    columns = [pa.scalar(part, BYTES) if isinstance(part, bytes) else part for part in parts]
    return pc.binary_join_element_wise(*columns, NOTHING)


def lengths(strings: pa.LargeBinaryArray) -> Integers:
    """(n,) number of bytes of each string."""
    return np.diff(positions(strings))


def positions(strings: pa.LargeBinaryArray) -> Integers:
    """(n + 1,) start of each string in :func:`content`, and the end of the last string."""
    if not len(strings):
        return np.zeros(1, np.int64)
    offsets = np.frombuffer(strings.buffers()[1], np.int64)
    return offsets[strings.offset : strings.offset + len(strings) + 1]


def content(strings: pa.LargeBinaryArray) -> pa.Buffer:
    """The bytes of all strings; an empty buffer if there are none."""
    return strings.buffers()[2] or pa.py_buffer(b"")


def offsets_of(sizes: Integers) -> Integers:
    """(n,) sizes -> (n + 1,) offsets from 0."""
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return offsets
