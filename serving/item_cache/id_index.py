"""Finds the rows of many ids at once.

A Python dictionary finds one string after the other and waits for memory at each. Here an id is known by its 64-bit
hash (Python's own, with another key in each process). The hashes are stored in buckets of one cache line, so numpy
looks up all ids of a slate together. An unknown id is mistaken for a stored one only if all 64 bits agree: with 100,000
ids stored, that happens in one of 10^14 lookups of unknown ids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

ABSENT = -1
FREE = -1  # a slot: no hash of Python's is -1
BITS = 3
SLOTS = 1 << BITS  # per bucket, 8 bytes each
LOAD = 2  # ids per bucket on average when the index is full: almost every id finds a slot


class IdIndex:
    """Holds up to about ``capacity`` ids, each once. Ids without a free slot or with an equal hash are in a dictionary.

    hash_of:      id -> 64 bits with sign, never -1
    hashes, rows: (slots,), SLOTS for each bucket
    mask:         the bits of a hash that give the bucket
    """

    def __init__(self, capacity: int, hash_of: Callable[[str], int] = hash) -> None:
        buckets = 1 << max(0, (capacity // LOAD).bit_length())
        self._hash_of = hash_of
        self.mask = buckets - 1
        self.hashes = np.full(buckets * SLOTS, FREE, np.int64)
        self.rows = np.zeros(buckets * SLOTS, np.int32)
        self._spilled: dict[str, int] = {}
        self._spilled_hashes: Counter[int] = Counter()

    @staticmethod
    def of(rows: Mapping[str, int], capacity: int, hash_of: Callable[[str], int] = hash) -> IdIndex:
        """The index of all ``rows``, built in one go."""
        index = IdIndex(capacity, hash_of)
        ids, count = list(rows), len(rows)
        hashes = np.fromiter(map(hash_of, ids), np.int64, count)
        positions = np.fromiter(rows.values(), np.int64, count)
        buckets = hashes & index.mask
        order = np.lexsort((hashes, buckets))
        ordered, of_bucket = hashes[order], buckets[order]
        starts = np.searchsorted(of_bucket, of_bucket)  # (n,) where its bucket begins
        slots = np.arange(count) - starts
        same = np.zeros(count, bool)
        same[1:] = ordered[1:] == ordered[:-1]
        same[:-1] |= same[1:]
        fits = (slots < SLOTS) & ~same
        at = of_bucket[fits] * SLOTS + slots[fits]
        index.hashes[at], index.rows[at] = ordered[fits], positions[order[fits]]
        for i in order[~fits].tolist():
            index._spill(ids[i], int(positions[i]))
        return index

    @property
    def spilled(self) -> int:
        """How many ids are in the dictionary."""
        return len(self._spilled)

    def find(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """(n,) rows, ABSENT for ids that are not stored."""
        hashes = np.fromiter(map(self._hash_of, ids), np.int64, len(ids))
        buckets = hashes & self.mask
        # (n, SLOTS), at most one True per row
        fits = self.hashes.reshape(-1, SLOTS).take(buckets, axis=0) == hashes[:, None]
        found = np.flatnonzero(fits)
        if len(found) == len(ids):
            return self.rows.take((buckets << BITS) | (found & (SLOTS - 1))).astype(np.int64)
        which = found >> BITS
        rows = np.full(len(ids), ABSENT)
        rows[which] = self.rows.take((buckets.take(which) << BITS) | (found & (SLOTS - 1)))
        if self._spilled:
            for i in np.flatnonzero(rows == ABSENT).tolist():
                rows[i] = self._spilled.get(ids[i], ABSENT)
        return rows

    def add(self, new_id: str, row: int, id_of: Callable[[int], str]) -> None:
        """``new_id`` is not stored yet. ``id_of`` gives the id of a stored row."""
        wanted = self._hash_of(new_id)
        start = (wanted & self.mask) * SLOTS
        bucket = self.hashes[start : start + SLOTS].tolist()
        if wanted in bucket:  # two ids with one hash: the dictionary distinguishes them
            position = start + bucket.index(wanted)
            other = int(self.rows[position])
            self._spill(id_of(other), other)
            self.hashes[position] = FREE
        elif FREE in bucket and wanted not in self._spilled_hashes:
            position = start + bucket.index(FREE)
            self.hashes[position], self.rows[position] = wanted, row
            return
        self._spill(new_id, row)

    def remove(self, known_id: str) -> None:
        """``known_id`` is stored."""
        wanted = self._hash_of(known_id)
        if self._spilled.pop(known_id, None) is not None:
            self._spilled_hashes[wanted] -= 1
            if not self._spilled_hashes[wanted]:
                del self._spilled_hashes[wanted]
            return
        start = (wanted & self.mask) * SLOTS
        self.hashes[start + self.hashes[start : start + SLOTS].tolist().index(wanted)] = FREE

    def _spill(self, some_id: str, row: int) -> None:
        self._spilled[some_id] = row
        self._spilled_hashes[self._hash_of(some_id)] += 1
