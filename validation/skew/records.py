"""The served slates whose feature matrix was logged, in batches that fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from feature_repo.live.score_records import ScoreRecord, read_records, score_files
from feature_repo.schema import Declaration
from validation.skew.errors import BrokenRecords

ROWS_PER_BATCH = 40_000


@dataclass
class ServedSlates:
    """The sampled records of the score log below ``live_dir`` that were scored at or after ``since_us``.

    ``width_of``: the number of features of a record that can be compared, None for another. ``skipped``: number of
    those others read so far.
    """

    live_dir: Path
    since_us: int | None
    width_of: Callable[[ScoreRecord], int | None]
    skipped: int = 0

    @property
    def files(self) -> list[Path]:
        return score_files(self.live_dir)

    def batches(self) -> Iterator[list[ScoreRecord]]:
        """Batches of at most ROWS_PER_BATCH candidates, or of one request with more. Raises BrokenRecords."""
        batch: list[ScoreRecord] = []
        rows = 0
        for path in self.files:
            for record in self._records(path):
                if rows and rows + len(record.item_ids) > ROWS_PER_BATCH:
                    yield batch
                    batch, rows = [], 0
                batch.append(record)
                rows += len(record.item_ids)
        if batch:
            yield batch

    def _records(self, path: Path) -> Iterator[ScoreRecord]:
        try:
            for record in read_records(path, self.since_us, only_matrices=True):
                width = self.width_of(record)
                if width is None:
                    self.skipped += 1
                    continue
                if record.matrix is None or record.matrix.shape[1] != width:
                    raise BrokenRecords(f"{path}: request {record.request_id} has a matrix of another width")
                yield record
        except FileNotFoundError:  # the scorer has removed it to make space for newer files
            return
        except (OSError, pa.ArrowException) as error:
            raise BrokenRecords(f"{path}: {str(error).splitlines()[0]}") from error


def entity_rows(records: Sequence[ScoreRecord], declaration: Declaration) -> pd.DataFrame:
    """The slates as rows of the impressions table, for :class:`feature_repo.offline.slates.PointInTimeReader`."""
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
        values = [record.context.get(column.name) for record in records]
        frame[column.name] = np.repeat(np.array(values, dtype=object), sizes)
    return frame


def _texts(values: Sequence[str | None], sizes: Sequence[int]) -> pd.Series:
    """A column of type string even if all values are null, so that it can be joined with strings."""
    return pd.Series(np.repeat(np.array(values, dtype=object), sizes), dtype="string")


def _fact(record: ScoreRecord, name: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    found = np.full(len(record.item_ids), np.nan, np.float32)
    for position, features in record.sent:
        if features.get(name) is not None:
            found[position] = features[name]
    return found
