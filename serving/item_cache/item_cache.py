"""Item rows held in the process: one array with a row per id, bounded in bytes.

The cache holds what Redis holds. Redis reports which keys change (:mod:`serving.item_cache.cache_invalidation`); a
changed id is evicted and read again. A row that changed while it was being read serves its request and is not stored.
While no changes are reported (``is_coherent`` is False) nothing is stored and every id is read. Ids without a row in
Redis are stored like the others. When the bytes are used up, rows that no request has used since the hand last passed
them are evicted first (second chance, also called CLOCK: Corbató 1968).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from serving.item_cache.id_index import IdIndex
from serving.item_cache.item_block import ItemBlock, ItemColumns

ENTRY_BYTES = 350  # of an id: its string, its entries in dictionary, index and list, and its share of the texts
TEXTS, TEXTS_PER_ROW = 100_000, 4  # texts that may be stored: a base, and more for each row of the capacity
FIRST_ROWS = 1_024
SWEEP = 4_096  # rows that the hand looks at together


@dataclass(frozen=True)
class Plan:
    """What the cache has of one request's items, and which ids must be read from Redis.

    known:     rows of the stored ids, as they were when the plan was made; its texts number the missing ids' texts
    missing:   ids to read, in the request's order
    positions: of the missing ids among all
    changes:   how many changes Redis had reported when the plan was made
    """

    known: ItemBlock
    missing: list[str]
    positions: list[int]
    generation: int
    changes: int


class ItemCache:
    """Not thread-safe. ``max_bytes`` = 0 switches it off."""

    def __init__(self, columns: ItemColumns, max_bytes: int) -> None:
        self._columns = columns
        self._row_bytes = columns.row.itemsize + ENTRY_BYTES
        self.capacity = max_bytes // self._row_bytes
        self.is_coherent = False
        self._generation = 0
        self._reading: dict[str, int] = {}  # ids that are being read -> by how many requests
        self._changes = 0
        self._changed: dict[str, int] = {}  # those of them that have changed since -> the number of their last change
        self._rows: dict[str, int] = {}
        self._evicted_by_change: dict[str, None] = {}  # in the order of their changes
        self._empty()

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._rows

    @property
    def texts(self) -> int:
        """How many texts the rows refer to, or did."""
        return sum(map(len, self._block.texts))

    @property
    def bytes(self) -> int:
        """Of all rows that memory is allocated for."""
        return len(self._block) * self._row_bytes

    def plan(self, ids: Sequence[str]) -> Plan:
        """``complete`` or ``abandon`` must follow."""
        found = self._index.find(ids)
        positions = np.flatnonzero(found < 0).tolist()
        rows = found[found >= 0] if positions else found
        missing = [ids[i] for i in positions]
        for item_id in missing:
            self._reading[item_id] = self._reading.get(item_id, 0) + 1
        if self._is_full:
            self._used[rows] = True
        return Plan(self._block.take(rows), missing, positions, self._generation, self._changes)

    @property
    def _is_full(self) -> bool:
        """Until then no row is evicted for another, and none need be marked as used."""
        return not self._free and len(self._ids) >= self.capacity

    def complete(self, plan: Plan, read: ItemBlock | None) -> ItemBlock:
        """All rows of the plan, in the order of its ids. ``read``: the rows of the missing ids, None without any."""
        if read is None:
            return plan.known
        if self.is_coherent and plan.generation == self._generation:
            self._store(plan, read)
        self.abandon(plan)
        if self.texts > TEXTS + TEXTS_PER_ROW * self.capacity:
            self.clear()  # most texts belong to rows that were evicted long ago
        return plan.known.merged(read, plan.positions)

    def abandon(self, plan: Plan) -> None:
        """The plan's missing ids are no longer being read."""
        for item_id in plan.missing:
            left = self._reading[item_id] - 1
            if left:
                self._reading[item_id] = left
            else:
                del self._reading[item_id]
                self._changed.pop(item_id, None)

    def forget(self, ids: Iterable[str]) -> None:
        """The rows of ``ids`` have changed in Redis."""
        self._changes += 1
        for item_id in ids:
            row = self._rows.pop(item_id, None)
            if row is not None:
                self._index.remove(item_id)
                self._ids[row] = None
                self._used[row] = False
                self._free.append(row)
                self._evicted_by_change[item_id] = None
            elif self.is_coherent and self.capacity and item_id not in self._reading:
                self._evicted_by_change[item_id] = None  # a new item: nobody asks for it before somebody knows it
            if item_id in self._reading:
                self._changed[item_id] = self._changes

    def take_forgotten(self, max_ids: int) -> list[str]:
        """Up to ``max_ids`` ids that were evicted because they changed, and have not been stored since.

        Where there is no room for all of them, the first are dropped: other rows are stored instead.
        """
        excess = max(0, len(self._evicted_by_change) + len(self._rows) - self.capacity)
        taken = list(islice(self._evicted_by_change, excess + max_ids))
        for item_id in taken:
            del self._evicted_by_change[item_id]
        return taken[excess:]

    def ids_from(self, column: str, since_us: int) -> list[str]:
        """The stored ids whose timestamp in ``column`` is at or after ``since_us``, or unknown.

        Ids without a row in Redis are left out.
        """
        _, position = self._columns.positions[column]
        rows = self._block.rows[: len(self._ids)]
        timestamps = rows["timestamps"][:, position]
        is_wanted = (np.isnan(timestamps) | (timestamps >= since_us)) & (rows["event_us"] > 0).any(axis=1)
        found = [self._ids[row] for row in np.flatnonzero(is_wanted).tolist()]
        return [item_id for item_id in found if item_id is not None]

    def clear(self) -> None:
        """Any row may have changed, also those that are being read."""
        self._generation += 1
        self._empty()

    def _empty(self) -> None:
        self._rows.clear()
        self._evicted_by_change.clear()
        self._index = IdIndex(0)
        self._block = self._columns.empty(0, self._columns.no_texts())
        self._used = np.zeros(0, bool)
        self._ids: list[str | None] = []
        self._free: list[int] = []
        self._hand = 0

    def _store(self, plan: Plan, read: ItemBlock) -> None:
        rows, stored = [], []
        for i, item_id in enumerate(plan.missing):
            if self._changed.get(item_id, 0) > plan.changes:
                if item_id not in self._rows:
                    self._evicted_by_change[item_id] = None
                continue
            row = self._rows.get(item_id)  # another request may have been first
            if row is None:
                row = self._room()
                if row is None:
                    break
                self._index.add(item_id, row, self._id_of)
                self._rows[item_id] = row
                self._ids[row] = item_id
                self._evicted_by_change.pop(item_id, None)
            rows.append(row)
            stored.append(i)
        if rows:
            self._block.put(np.array(rows), read.take(np.array(stored)))

    def _room(self) -> int | None:
        """A row to fill; None if there is no room for any."""
        if not self._free:
            self._grow()
        if self._free:
            return self._free.pop()
        row = self._unused()
        if row is None:
            return None
        old = self._ids[row]
        if old is not None:
            self._index.remove(old)
            del self._rows[old]
        return row

    def _unused(self) -> int | None:
        """The next row that no request has used since the hand passed; None if there are no rows."""
        rows = len(self._ids)
        for _ in range(2 * (rows // SWEEP + 2) if rows else 0):  # the second time round, every row has been passed
            ahead = self._used[self._hand : self._hand + SWEEP]
            unused = np.flatnonzero(~ahead)
            if len(unused):
                row = self._hand + int(unused[0])
                self._used[self._hand : row] = False
                self._hand = (row + 1) % rows
                return row
            ahead[:] = False
            self._hand = (self._hand + len(ahead)) % rows
        return None

    def _id_of(self, row: int) -> str:
        item_id = self._ids[row]
        assert item_id is not None  # the index holds rows in use only
        return item_id

    def _grow(self) -> None:
        present = len(self._ids)
        wanted = min(self.capacity, max(FIRST_ROWS, 2 * present))
        if wanted <= present:
            return
        self._block = self._block.grown(wanted)
        self._used = np.append(self._used, np.zeros(wanted - present, bool))
        self._ids += [None] * (wanted - present)
        self._free += range(wanted - 1, present - 1, -1)
        self._index = IdIndex.of(self._rows, wanted)
