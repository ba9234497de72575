"""Numbers the items of train, and drops all other items from later logs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from training.gru4rec.sessions.processed import Ints, Longs, Vocabulary
from training.gru4rec.sessions.session_cuts import Log, long_sessions, without_repeats

UNSEEN = -1


@dataclass(frozen=True)
class ItemNumbers:
    """``ids``: of all items of the source. ``index``: (len(ids),) their index in the vocabulary, or UNSEEN."""

    ids: pa.StringArray
    index: Ints
    counts: Longs

    def vocabulary(self) -> Vocabulary:
        ids = self.ids.to_pylist()
        order = np.flatnonzero(self.index != UNSEEN)
        order = order[np.argsort(self.index[order])]
        return Vocabulary(tuple(ids[i] for i in order), self.counts)


def number_items(train: Log, ids: pa.StringArray) -> ItemNumbers:
    """Number the items of ``train`` by descending support, then by id."""
    counts = np.bincount(train.item, minlength=len(ids))
    names = np.array(ids.to_pylist(), dtype=object)
    used = np.flatnonzero(counts)
    used = used[np.argsort(names[used], kind="stable")]
    used = used[np.argsort(-counts[used], kind="stable")]
    index = np.full(len(ids), UNSEEN, np.int32)
    index[used] = np.arange(len(used), dtype=np.int32)
    return ItemNumbers(ids, index, counts[used].astype(np.int64))


def known_part(log: Log, numbers: ItemNumbers, min_session: int, drop_repeats: bool) -> Log:
    """A later log without unseen items, and without the sessions that are too short then."""
    log = log.where(numbers.index[log.item] != UNSEEN)
    return long_sessions(without_repeats(log) if drop_repeats else log, min_session)
