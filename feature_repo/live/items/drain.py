"""The consumer of accepted changes of items: it writes them to the log's files, and their rows.

The scorer writes the rows before it answers ``POST /items``. If it was killed before that, or if the feature store was
away, the rows are missing. So the consumer writes them again; this is harmless, because the newest row wins.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import redis

from feature_repo.datasets.errors import DatasetError
from feature_repo.live.items.acceptance import ItemKeys, Merged
from feature_repo.live.items.change import AcceptedChange, unpacked
from feature_repo.live.items.files import ITEM_CHANGES
from feature_repo.live.items.rows import item_rows
from feature_repo.live.stream_drain import Fields, StreamDrain
from feature_repo.online.writer import NewestWinsWriter
from feature_repo.schema import Declaration

log = logging.getLogger(__name__)


class ItemDrain(StreamDrain[AcceptedChange]):
    """``events``: client of the events' Redis. ``features``: client of the feature store's Redis.

    ``declaration``: may raise DatasetError; then the rows are left to the scorers.
    """

    def __init__(
        self,
        dataset: str,
        live_dir: Path,
        events: redis.Redis,
        features: redis.Redis,
        declaration: Callable[[], Declaration],
    ) -> None:
        self._dataset = dataset
        self._declaration = declaration
        self._writer = NewestWinsWriter(features)
        keys = ItemKeys(dataset)
        super().__init__(events, keys.stream, keys.dead, ITEM_CHANGES, live_dir)

    def decode(self, fields: Fields) -> tuple[int, AcceptedChange]:
        return int(fields[b"received"]), unpacked(fields[b"change"], fields[b"row"])

    def write_rows(self, accepted: Sequence[tuple[int, AcceptedChange]]) -> None:
        if not accepted:
            return
        merged = [(each.change.item_id, Merged(received_us, each.row)) for received_us, each in accepted]
        try:
            self._writer.write(item_rows(merged, self._declaration(), self._dataset))
        except (DatasetError, ValueError) as error:  # the changes are in the log, and the next build writes their rows
            log.error("the rows of %d changes of items are not written again: %s", len(merged), error)
