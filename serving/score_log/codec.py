"""How records travel from a scorer to its writer: MessagePack in frames.

A frame is a length in four bytes, then a record, field by field. Arrays are sent as their bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from feature_repo.live.score_records import ScoreRecord

_LENGTH = Struct("<I")


def frame(record: ScoreRecord) -> bytes:
    """Raises UnicodeEncodeError for a string that is not valid Unicode."""
    message = _encode(record)
    return _LENGTH.pack(len(message)) + message


class Frames:
    """Collects bytes as they arrive and yields complete records."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[ScoreRecord]:
        self._rest += data
        start, end = 0, _LENGTH.size
        while end <= len(self._rest):
            (length,) = _LENGTH.unpack_from(self._rest, start)
            if end + length > len(self._rest):
                break
            yield _record(msgspec.msgpack.decode(memoryview(self._rest)[end : end + length]))
            start = end + length
            end = start + _LENGTH.size
        self._rest = self._rest[start:]


def _bytes(array: npt.NDArray[Any]) -> bytes:
    """A matrix is sent column by column, as it lies in memory."""
    return array.tobytes(order="F")


_encode = msgspec.msgpack.Encoder(enc_hook=_bytes).encode


def _record(fields: dict[str, Any]) -> ScoreRecord:
    fields["scores"] = np.frombuffer(fields["scores"], np.float64)
    fields["read_us"] = {view: np.frombuffer(times, np.int64) for view, times in fields["read_us"].items()}
    if fields["matrix"] is not None:
        fields["matrix"] = np.frombuffer(fields["matrix"], np.float32).reshape(-1, len(fields["item_ids"])).T
    fields["explored"] = [(item_id, propensity) for item_id, propensity in fields["explored"]]
    return ScoreRecord(**fields)
