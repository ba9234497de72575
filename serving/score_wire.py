"""The score log's records on their way from a scorer to its writer: MessagePack in frames.

A frame is the length of what follows in four bytes, then a record. Arrays travel as their bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

import msgspec
import numpy as np

from feature_repo.live.score_records import ScoreRecord
from feature_repo.slate import Floats

_LENGTH = Struct("<I")


class _Message(msgspec.Struct, array_like=True, gc=False):
    request_id: str
    scored_us: int
    clock: str
    item_ids: list[str]
    scores: bytes
    model_name: str
    model_version: str
    contract_hash: str
    degraded: bool
    user_id: str | None
    session_id: str | None
    context: dict[str, str | None]
    read_us: dict[str, bytes]
    sent: list[tuple[int, dict[str, float | None]]]
    matrix: bytes | None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Message).decode


def frame(record: ScoreRecord, matrix: Floats | None) -> bytes:
    """``matrix``: (n, f), to be logged with it. Raises UnicodeEncodeError for a text that is none."""
    message = _encode(
        _Message(
            record.request_id,
            record.scored_us,
            record.clock,
            list(record.item_ids),
            record.scores.tobytes(),
            record.model_name,
            record.model_version,
            record.contract_hash,
            record.degraded,
            record.user_id,
            record.session_id,
            dict(record.context),
            {view: times.tobytes() for view, times in record.read_us.items()},
            [(place, dict(features)) for place, features in record.sent],
            None if matrix is None else matrix.tobytes(order="F"),
        )
    )
    return _LENGTH.pack(len(message)) + message


class Frames:
    """Takes bytes as they come and gives the records that are complete."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[ScoreRecord]:
        self._rest += data
        start, end = 0, _LENGTH.size
        while end <= len(self._rest):
            (length,) = _LENGTH.unpack_from(self._rest, start)
            if end + length > len(self._rest):
                break
            yield _record(_decode(memoryview(self._rest)[end : end + length]))
            start = end + length
            end = start + _LENGTH.size
        self._rest = self._rest[start:]


def _record(message: _Message) -> ScoreRecord:
    matrix = None
    if message.matrix is not None:
        matrix = np.frombuffer(message.matrix, np.float32).reshape(-1, len(message.item_ids)).T
    return ScoreRecord(
        request_id=message.request_id,
        scored_us=message.scored_us,
        clock=message.clock,
        item_ids=message.item_ids,
        scores=np.frombuffer(message.scores, np.float64),
        model_name=message.model_name,
        model_version=message.model_version,
        contract_hash=message.contract_hash,
        degraded=message.degraded,
        user_id=message.user_id,
        session_id=message.session_id,
        context=message.context,
        read_us={view: np.frombuffer(times, np.int64) for view, times in message.read_us.items()},
        sent=message.sent,
        matrix=matrix,
    )
