"""Session-parallel minibatches (Hidasi et al. 2016): each row of the batch goes through sessions, event by event.

Sessions a b c, d e, f g h i, j k in two rows; inputs above, targets below, ``|`` before the first event of a session:

    row 0   |a b |f g h        row 1   |d |j
             b c  g h i                 e  k

The next session goes to the first row that is free. When no session is left, the rows end one by one and the batch
gets smaller, so no event is dropped. The row with the most events is row 0 and so on, so that the rows of a step are
always the first rows of the step before.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.gru4rec.sessions.processed import Longs, Sessions


@dataclass(frozen=True)
class Step:
    """One step, (rows,) each: input items, target items, and whether a session begins, so that its state is reset."""

    inputs: Longs
    targets: Longs
    begins: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Minibatches:
    """All steps of an epoch, concatenated. ``starts``: (steps + 1,)."""

    inputs: Longs
    targets: Longs
    begins: npt.NDArray[np.bool_]
    starts: Longs

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def events(self) -> int:
        """The number of targets: all events except the first of each session."""
        return len(self.targets)

    def __getitem__(self, index: int) -> Step:
        if not 0 <= index < len(self):
            raise IndexError(index)
        rows = slice(self.starts[index], self.starts[index + 1])
        return Step(self.inputs[rows], self.targets[rows], self.begins[rows])

    def __iter__(self) -> Iterator[Step]:
        return (self[index] for index in range(len(self)))


def session_parallel(sessions: Sessions, batch_size: int) -> Minibatches:
    """The steps of an epoch, with the sessions in the given order. Sessions of one event have no target."""
    targets_of = sessions.lengths - 1
    used = np.flatnonzero(targets_of > 0)
    counts = targets_of[used]
    row, offset = _rows(counts, batch_size)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    step = np.repeat(offset, counts) + within
    event = np.repeat(sessions.starts[:-1][used], counts) + within
    order = np.lexsort((np.repeat(row, counts), step))
    event = event[order]
    rows_of_step = np.bincount(step) if len(step) else np.empty(0, np.int64)
    return Minibatches(
        sessions.items[event].astype(np.int64),
        sessions.items[event + 1].astype(np.int64),
        (within == 0)[order],
        np.concatenate(([0], np.cumsum(rows_of_step))).astype(np.int64),
    )


def _rows(counts: Longs, batch_size: int) -> tuple[Longs, Longs]:
    """(sessions,) the row of each session and the step at which it begins. counts: (sessions,) targets of each."""
    row, offset = np.empty(len(counts), np.int64), np.empty(len(counts), np.int64)
    free = [(0, index) for index in range(batch_size)]  # (step, row); it is sorted, so it is a heap
    for session, count in enumerate(counts.tolist()):
        step, index = free[0]
        row[session], offset[session] = index, step
        heapq.heapreplace(free, (step + count, index))
    length = np.zeros(batch_size, np.int64)
    for step, index in free:
        length[index] = step
    rank = np.empty(batch_size, np.int64)
    rank[np.argsort(-length, kind="stable")] = np.arange(batch_size)
    return rank[row], offset
