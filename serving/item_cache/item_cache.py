"""Item rows kept in the process: in one array, a row per id, bounded in bytes.

What is kept is what Redis holds, because Redis says which keys change (:mod:`cache_invalidation`): a changed id is
forgotten and asked for anew. A fill during which its id changed is used for its request and not kept. While nobody
tells of changes (``is_coherent`` is False) nothing is kept and every id is asked for. Ids without any row are kept
like the others. When the bytes are spent, rows that no request has used since the hand last passed go first
(second chance, also called CLOCK: Corbató 1968).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from serving.item_cache.id_index import IdIndex
from serving.item_cache.item_block import ItemBlock, ItemColumns
from serving.native_lookup import NativeLookup, lookup_code

ENTRY_BYTES = 350  # of an id: its string, its places in dictionary, index and list, what it adds to the texts
TEXTS, TEXTS_OF_A_ROW = 100_000, 4  # that may be kept: in all, and besides for each row there is room for
FIRST_ROWS = 1_024
SWEEP = 4_096  # rows that the hand looks at together


@dataclass(frozen=True)
class Plan:
    """What one request knows of its items, and the ids it has to ask for, in their order.

    ``known``: the rows of those that are kept, as they were when the plan was made, with the texts that the missing
    ones' are to be numbered by; ``positions``: of the missing among all; ``changes``: how many were known by then.
    """

    known: ItemBlock
    missing: list[str]
    positions: list[int]
    generation: int
    changes: int


class ItemCache:
    """Not for threads. ``max_bytes`` = 0 switches it off. Made off the event loop: the first one compiles code."""

    def __init__(self, columns: ItemColumns, max_bytes: int) -> None:
        self._columns = columns
        self._row_bytes = columns.row.itemsize + ENTRY_BYTES
        self.capacity = max_bytes // self._row_bytes
        self._code = lookup_code(columns.row) if self.capacity else None
        self.is_coherent = False
        self._generation = 0
        self._filling: dict[str, int] = {}  # ids that are being asked for -> by how many requests
        self._changes = 0
        self._changed: dict[str, int] = {}  # those of them that have changed since -> the number of their last change
        self._rows: dict[str, int] = {}
        self._forgotten: dict[str, None] = {}  # in the order of their changes
        self._empty()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def bytes(self) -> int:
        """Of all rows that have been made room for."""
        return len(self._block) * self._row_bytes

    def plan(self, ids: Sequence[str]) -> Plan:
        """``complete`` or ``abandon`` must follow."""
        taken = self._lookup.take(ids) if self._lookup is not None else None
        positions: list[int] = []
        if taken is not None:
            rows, known = taken.rows, ItemBlock(taken.copy, self._block.texts, taken.bounds)
        else:
            found = self._index.find(ids)
            positions = np.flatnonzero(found < 0).tolist()
            rows = found[found >= 0]
            known = self._block.take(rows)
        missing = [ids[i] for i in positions]
        for each in missing:
            self._filling[each] = self._filling.get(each, 0) + 1
        if self._is_full:
            self._used[rows] = True
        return Plan(known, missing, positions, self._generation, self._changes)

    @property
    def _is_full(self) -> bool:
        """Until then no row has to go, and none need be told from the others."""
        return not self._free and len(self._ids) >= self.capacity

    def complete(self, plan: Plan, fresh: ItemBlock | None) -> ItemBlock:
        """All rows of the plan, in the order of its ids. ``fresh``: those of the missing ids, None without any."""
        if fresh is None:
            return plan.known
        if self.is_coherent and plan.generation == self._generation:
            self._keep(plan, fresh)
        self.abandon(plan)
        if sum(map(len, self._block.texts)) > TEXTS + TEXTS_OF_A_ROW * self.capacity:
            self.clear()  # most of them are of rows that went long ago
        return plan.known.merged(fresh, plan.positions)

    def abandon(self, plan: Plan) -> None:
        """Nobody asks for the missing ids any longer."""
        for each in plan.missing:
            left = self._filling[each] - 1
            if left:
                self._filling[each] = left
            else:
                del self._filling[each]
                self._changed.pop(each, None)

    def forget(self, ids: Iterable[str]) -> None:
        """The rows of ``ids`` have changed in Redis."""
        self._changes += 1
        for each in ids:
            row = self._rows.pop(each, None)
            if row is not None:
                self._index.remove(each)
                self._ids[row] = None
                self._used[row] = False
                self._free.append(row)
                self._forgotten[each] = None
            if each in self._filling:
                self._changed[each] = self._changes

    def take_forgotten(self, most: int) -> list[str]:
        """Up to ``most`` ids that were kept until they changed and have not been filled since, to be asked for anew.

        Where there is no room for all of them, the first are given up: others have taken their places.
        """
        excess = max(0, len(self._forgotten) + len(self._rows) - self.capacity)
        taken = list(islice(self._forgotten, excess + most))
        for each in taken:
            del self._forgotten[each]
        return taken[excess:]

    def clear(self) -> None:
        """Any row may have changed, also those that are being asked for."""
        self._generation += 1
        self._empty()

    def _empty(self) -> None:
        self._rows.clear()
        self._forgotten.clear()
        self._index = IdIndex(0)
        self._block = self._columns.empty(0, self._columns.no_texts())
        self._lookup: NativeLookup | None = None
        self._used = np.zeros(0, bool)
        self._ids: list[str | None] = []
        self._free: list[int] = []
        self._hand = 0

    def _keep(self, plan: Plan, fresh: ItemBlock) -> None:
        positions, kept = [], []
        for i, each in enumerate(plan.missing):
            if self._changed.get(each, 0) > plan.changes:
                if each not in self._rows:
                    self._forgotten[each] = None
                continue
            row = self._rows.get(each)  # another request may have been first
            if row is None:
                row = self._room()
                if row is None:
                    break
                self._index.add(each, row, self._id_of)
                self._rows[each] = row
                self._ids[row] = each
                self._forgotten.pop(each, None)
            positions.append(row)
            kept.append(i)
        if positions:
            self._block.put(np.array(positions), fresh.take(np.array(kept)))

    def _room(self) -> int | None:
        """A row to be filled; None if there is no room for any."""
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
        found = self._ids[row]
        assert found is not None  # the index holds rows in use only
        return found

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
        self._lookup = NativeLookup(self._code, self._index, self._block.rows) if self._code is not None else None
