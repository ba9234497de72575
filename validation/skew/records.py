"""The served slates whose whole matrix was logged, in pieces that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from feature_repo.live.score_records import ScoreRecord, read_records, score_files
from feature_repo.schema import Declaration
from validation.skew.errors import BrokenRecords

ROWS_PER_PIECE = 40_000


@dataclass
class ServedSlates:
    """The sampled records of the score log below ``live_dir``, scored at or after ``since_us``.

    Only those of the contract ``contract_hash`` can be compared; ``width`` is its number of features. ``skipped``
    counts the others while they are read.
    """

    live_dir: Path
    since_us: int | None
    contract_hash: str
    width: int
    skipped: int = 0

    @property
    def files(self) -> list[Path]:
        return score_files(self.live_dir)

    def pieces(self) -> Iterator[list[ScoreRecord]]:
        """Raises BrokenRecords."""
        piece: list[ScoreRecord] = []
        rows = 0
        for path in self.files:
            for record in self._records(path):
                if rows and rows + len(record.item_ids) > ROWS_PER_PIECE:
                    yield piece
                    piece, rows = [], 0
                piece.append(record)
                rows += len(record.item_ids)
        if piece:
            yield piece

    def _records(self, path: Path) -> Iterator[ScoreRecord]:
        try:
            for record in read_records(path, self.since_us, only_matrices=True):
                if record.contract_hash != self.contract_hash:
                    self.skipped += 1
                    continue
                if record.matrix is None or record.matrix.shape[1] != self.width:
                    raise BrokenRecords(f"{path}: request {record.request_id} has a matrix of another width")
                yield record
        except FileNotFoundError:  # the scorer has made room for newer files
            return
        except (OSError, pa.ArrowException) as error:
            raise BrokenRecords(f"{path}: {str(error).splitlines()[0]}") from error


def entity_rows(records: Sequence[ScoreRecord], declaration: Declaration) -> pd.DataFrame:
    """The slates as rows of the impressions table, as :class:`feature_repo.offline.slates.PointInTimeReader` reads."""
    sizes = [len(record.item_ids) for record in records]
    timestamps = np.repeat(np.array([record.scored_us for record in records], "datetime64[us]"), sizes)
    frame = pd.DataFrame(
        {
            "slate_id": np.repeat([record.request_id for record in records], sizes),
            "user_id": _texts([record.user_id for record in records], sizes),
            "session_id": _texts([record.session_id for record in records], sizes),
            "item_id": pd.array([item for record in records for item in record.item_ids], "string"),
            "shown_ts": pd.DatetimeIndex(timestamps).tz_localize("UTC"),
        }
    )
    for fact in declaration.facts:
        frame[fact.name] = np.concatenate([_fact(record, fact.name) for record in records])
    for column in declaration.context:
        said = [record.context.get(column.name) for record in records]
        frame[column.name] = np.repeat(np.array(said, dtype=object), sizes)
    return frame


def _texts(values: Sequence[str | None], sizes: Sequence[int]) -> pd.Series:
    """Typed as text also where every value is null, so that it can be joined with text."""
    return pd.Series(np.repeat(np.array(values, dtype=object), sizes), dtype="string")


def _fact(record: ScoreRecord, name: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    found = np.full(len(record.item_ids), np.nan, np.float32)
    for position, features in record.sent:
        if features.get(name) is not None:
            found[position] = features[name]
    return found
