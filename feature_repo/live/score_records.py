"""The records of the score log, one per slate that ``/score`` or ``/recommend`` scored, and their files.

    <live_dir>/scores/day=2026-11-21/<worker>-<number>.parquet     the UTC day is that of ``scored_at``

Each file is complete or absent. Its rows are the requests of one worker process, in order.
"""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from feature_repo.schema import TIMESTAMP
from feature_repo.slate import Floats

DAY_US = 24 * 3600 * 1_000_000
ROWS_AT_ONCE = 100
_TEXT, _TIMES, _VALUES = pa.string(), pa.list_(pa.int64()), pa.list_(pa.float32())
_SENT = pa.struct(
    [pa.field("place", pa.int32(), False), pa.field("feature", _TEXT, False), pa.field("value", pa.float64())]
)
_EXPLORED = pa.struct([pa.field("item_id", _TEXT, False), pa.field("propensity", pa.float64(), False)])
SCHEMA = pa.schema(
    [
        pa.field("request_id", _TEXT, False),
        pa.field("scored_at", TIMESTAMP, False),
        pa.field("clock", _TEXT, False),
        pa.field("worker", _TEXT, False),
        pa.field("user_id", _TEXT),
        pa.field("session_id", _TEXT),
        pa.field("context", pa.map_(_TEXT, _TEXT), False),
        pa.field("item_ids", pa.list_(_TEXT), False),
        pa.field("scores", pa.list_(pa.float64()), False),
        pa.field("read_us", pa.map_(_TEXT, _TIMES), False),
        pa.field("sent", pa.list_(_SENT), False),
        pa.field("model_name", _TEXT, False),
        pa.field("model_version", _TEXT, False),
        pa.field("contract_hash", _TEXT, False),
        pa.field("degraded", pa.bool_(), False),
        pa.field("matrix", _VALUES),
        # Null in the files of releases that had no /recommend.
        pa.field("kind", _TEXT),
        pa.field("answered", pa.list_(_TEXT)),
        pa.field("removed", pa.map_(_TEXT, pa.int32())),
        pa.field("explored", pa.list_(_EXPLORED)),
    ]
)
SCORE, RECOMMEND = "score", "recommend"  # kinds of slates
_PLAIN = ("request_id", "clock", "user_id", "session_id", "model_name", "model_version", "contract_hash", "degraded")

_LONG = ["scores", "matrix"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScoreRecord:
    """One slate as it was scored.

    scored_us: time of the request by the service's clock, µs since the epoch
    item_ids:  (n,) in the caller's order
    scores:    (n,) float64, one per item
    read_us:   view -> event timestamps of the rows that were read, valid or not, 0 without a row: (n,) for item views,
               in the order of the candidates; (1,) for user and session views; one per distinct cart item for
               companions
    sent:      (position, {feature: value that the caller sent for the item}); such a value replaces the stored one
    matrix:    (n, f) float32 in the order of the model's features; None if it was not logged
    kind:      SCORE, or RECOMMEND; the rest is of RECOMMEND only, whose candidates are in the order of the sources
    answered:  the items of the answer, in its order
    removed:   rule -> how many candidates it removed or moved down
    explored:  (item, the probability that it was drawn) of each candidate that was drawn at random
    """

    request_id: str
    scored_us: int
    clock: str
    item_ids: Sequence[str]
    scores: npt.NDArray[np.float64]
    model_name: str
    model_version: str
    contract_hash: str
    degraded: bool
    user_id: str | None = None
    session_id: str | None = None
    context: Mapping[str, str | None] = field(default_factory=dict)
    read_us: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    sent: Sequence[tuple[int, Mapping[str, float | None]]] = ()
    matrix: Floats | None = None
    kind: str = SCORE
    answered: Sequence[str] = ()
    removed: Mapping[str, int] = field(default_factory=dict)
    explored: Sequence[tuple[str, float]] = ()

    @property
    def day(self) -> int:
        """UTC days since the epoch."""
        return self.scored_us // DAY_US


def score_folder(live_dir: Path) -> Path:
    return live_dir / "scores"


def score_files(live_dir: Path) -> list[Path]:
    """All complete files, oldest day first. A file that was truncated in a power failure is skipped with a warning."""
    return [path for path in sorted(score_folder(live_dir).glob("day=*/*.parquet")) if _is_whole(path)]


def _is_whole(path: Path) -> bool:
    """Whether the file ends as parquet does: with its footer, the footer's length and four letters."""
    try:
        with path.open("rb") as file:
            start = file.seek(-8, os.SEEK_END)
            length, letters = struct.unpack("<I4s", file.read())
            is_whole = bool(letters == b"PAR1" and length < start)
    except FileNotFoundError:  # the scorer has removed it to make space for newer files
        return False
    except OSError:  # it is shorter, or cannot be read
        is_whole = False
    if not is_whole:
        log.warning("%s is damaged and is skipped", path)
    return is_whole


def oldest_score(live_dir: Path) -> datetime | None:
    """No score of the log is older: the midnight that begins its oldest day. None for an empty log."""
    files = score_files(live_dir)
    return datetime.fromisoformat(files[0].parent.name.removeprefix("day=")).replace(tzinfo=UTC) if files else None


def batch_of(records: Sequence[ScoreRecord], worker: str) -> pa.RecordBatch:
    """The records as Arrow. ``worker``: name of the process that scored them."""
    columns: dict[str, pa.Array] = {
        name: pa.array([getattr(record, name) for record in records], SCHEMA.field(name).type) for name in _PLAIN
    }
    columns["scored_at"] = pa.array([record.scored_us for record in records], pa.int64()).cast(TIMESTAMP)
    columns["worker"] = pa.array([worker] * len(records), _TEXT)
    columns["context"] = pa.array([list(record.context.items()) for record in records], SCHEMA.field("context").type)
    columns["sent"] = pa.array([_sent(record) for record in records], SCHEMA.field("sent").type)
    ids = pa.array([item_id for record in records for item_id in record.item_ids], _TEXT)
    columns["item_ids"] = pa.ListArray.from_arrays(_offsets([record.item_ids for record in records]), ids)
    columns["scores"] = _lists([record.scores for record in records], np.float64)
    columns["read_us"] = _read_us(records)
    columns["matrix"] = _matrices([record.matrix for record in records])
    columns["kind"] = pa.array([record.kind for record in records], _TEXT)
    columns["answered"] = pa.array([list(record.answered) for record in records], SCHEMA.field("answered").type)
    columns["removed"] = pa.array([list(record.removed.items()) for record in records], SCHEMA.field("removed").type)
    explored = [[dict(zip(("item_id", "propensity"), each, strict=True)) for each in r.explored] for r in records]
    columns["explored"] = pa.array(explored, SCHEMA.field("explored").type)
    return pa.RecordBatch.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def read_records(
    path: Path, since_us: int | None = None, *, only_matrices: bool = False, request_id: str | None = None
) -> Iterator[ScoreRecord]:
    """The records of one file that were scored at or after ``since_us``. Raises OSError, pa.ArrowException."""
    wanted = pc.scalar(True)
    if since_us is not None:
        wanted &= pc.field("scored_at") >= pa.scalar(since_us, pa.int64()).cast(TIMESTAMP)
    if only_matrices:
        wanted &= pc.field("matrix").is_valid()
    if request_id is not None:
        wanted &= pc.field("request_id") == request_id
    for batch in pq.read_table(path, schema=SCHEMA, filters=wanted, partitioning=None).to_batches(ROWS_AT_ONCE):
        long = {name: batch.column(name) for name in _LONG}
        for i, row in enumerate(batch.drop_columns(_LONG).to_pylist()):
            yield _record(row, {name: column[i].values for name, column in long.items()})


def _record(row: dict[str, Any], long: dict[str, Any]) -> ScoreRecord:
    """``long``: the values of the columns in _LONG as Arrow arrays, None for null. Python numbers would be slow."""
    ids, matrix = row["item_ids"], long["matrix"]
    return ScoreRecord(
        **{name: row[name] for name in _PLAIN},
        scored_us=int(row["scored_at"].timestamp()) * 1_000_000 + row["scored_at"].microsecond,
        item_ids=ids,
        scores=long["scores"].to_numpy(),
        context=dict(row["context"]),
        read_us={view: np.array(times, np.int64) for view, times in row["read_us"]},
        sent=[(entry["place"], {entry["feature"]: entry["value"]}) for entry in row["sent"]],
        matrix=None if matrix is None else matrix.to_numpy().reshape(-1, len(ids)).T,
        kind=row["kind"] or SCORE,
        answered=row["answered"] or (),
        removed=dict(row["removed"] or ()),
        explored=[(each["item_id"], each["propensity"]) for each in row["explored"] or ()],
    )


def _sent(record: ScoreRecord) -> list[dict[str, Any]]:
    return [
        {"place": position, "feature": name, "value": value}
        for position, features in record.sent
        for name, value in features.items()
    ]


def _lists(parts: Sequence[npt.NDArray[Any]], kind: type[np.generic]) -> pa.ListArray:
    """A list array with one list per part."""
    values = np.concatenate([np.empty(0, kind), *parts])
    return pa.ListArray.from_arrays(_offsets(parts), pa.array(values))


def _read_us(records: Sequence[ScoreRecord]) -> pa.MapArray:
    views = [view for record in records for view in record.read_us]
    times = [view_times for record in records for view_times in record.read_us.values()]
    return pa.MapArray.from_arrays(
        _offsets([record.read_us for record in records]), pa.array(views, _TEXT), _lists(times, np.int64)
    )


def _matrices(matrices: Sequence[Floats | None]) -> pa.ListArray:
    """Each matrix as one list, feature by feature: its order in memory, and the order that compresses best."""
    lists = _lists([np.empty(0, np.float32) if m is None else m.ravel(order="F") for m in matrices], np.float32)
    absent = pa.array([matrix is None for matrix in matrices], pa.bool_())
    return pa.ListArray.from_arrays(lists.offsets, lists.values, mask=absent)


def _offsets(parts: Sequence[Any]) -> pa.Array:
    return pa.array(np.fromiter(accumulate(map(len, parts), initial=0), np.int32, len(parts) + 1))
