"""A hash of the values of a table. It does not depend on chunks, file or compression."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa


class ContentHash:
    """SHA-256 over the columns of concatenated tables.

    Each column has three streams, so that the ends of chunks have no effect: which values are null, the length of
    each value, and their bytes. Nulls have no bytes, and all NaN are equal.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self._streams = {field.name: [hashlib.sha256() for _ in range(3)] for field in schema}
        self.rows = 0

    def update(self, table: pa.Table) -> None:
        """Add the rows of a table. Raises ValueError if it has another schema."""
        if not table.schema.equals(self.schema):
            raise ValueError(f"expected {self.schema}, found {table.schema}")
        for name, column in zip(self.schema.names, table.columns, strict=True):
            nulls, lengths, values = self._streams[name]
            for chunk in column.chunks:
                nulls.update(np.asarray(chunk.is_null()).tobytes())
                sizes, data = _bytes(chunk.drop_null())
                lengths.update(sizes)
                values.update(data)
        self.rows += len(table)

    def hexdigest(self) -> str:
        whole = hashlib.sha256(f"{self.rows}".encode())
        for field in self.schema:
            whole.update(f"{field.name}:{field.type}".encode())
            for stream in self._streams[field.name]:
                whole.update(stream.digest())
        return whole.hexdigest()


def _bytes(values: pa.Array) -> tuple[Any, Any]:
    """(lengths, data) of an array without nulls: UTF-8 of text, little-endian bytes of numbers."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_string(values.type):
        texts = values.cast(pa.binary())
        offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
        data = texts.buffers()[2]
        return np.diff(offsets).tobytes(), (memoryview(data)[offsets[0] : offsets[-1]] if data is not None else b"")
    numbers = values.cast(pa.int64()) if pa.types.is_timestamp(values.type) else values
    array = numbers.to_numpy(zero_copy_only=False)
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), array.dtype.type(np.nan), array)
    return b"", np.ascontiguousarray(array).tobytes()
