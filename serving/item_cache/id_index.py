"""Finds the rows of many ids at once.

A dictionary of strings waits for memory a few times per lookup, one lookup after the other. Here an id is known by its
64-bit hash (Python's own, keyed anew in each process), and the hashes stand in buckets of one cache line, so that
numpy looks up all ids of a slate together. An id that is not kept is taken for one that is if all 64 bits agree: with
100,000 ids, one lookup of an unknown id in 10^14.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

ABSENT = -1
FREE = -1  # a slot: no hash of Python's is -1
BITS = 3
SLOTS = 1 << BITS  # of a bucket, of 8 bytes each
LOAD = 2  # ids per bucket when the index is full, at most and on average: next to none find no slot


class IdIndex:
    """Of about ``capacity`` ids at most, each once. Ids that find no slot, or share a hash, are in a dictionary.

    ``hash_of``: 64 bits with sign, never -1. ``hashes``, ``rows``: (slots,), a bucket begins at each SLOTS of them;
    which bucket an id is in, the bits of its hash in ``mask`` say.
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
        """The index of all ``rows``, made at once."""
        index = IdIndex(capacity, hash_of)
        ids, count = list(rows), len(rows)
        hashes = np.fromiter(map(hash_of, ids), np.int64, count)
        positions = np.fromiter(rows.values(), np.int64, count)
        buckets = hashes & index.mask
        order = np.lexsort((hashes, buckets))
        ordered, of_bucket = hashes[order], buckets[order]
        starts = np.searchsorted(of_bucket, of_bucket)  # where the bucket of each begins
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

    def find(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """(n,) rows, ABSENT for ids that are not kept."""
        hashes = np.fromiter(map(self._hash_of, ids), np.int64, len(ids))
        buckets = hashes & self.mask
        fits = self.hashes.reshape(-1, SLOTS).take(buckets, axis=0) == hashes[:, None]  # (n, SLOTS), one a row at most
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

    def add(self, each: str, row: int, owner: Callable[[int], str]) -> None:
        """``each`` is not kept yet; ``owner`` gives the id of a row that is."""
        wanted = self._hash_of(each)
        start = (wanted & self.mask) * SLOTS
        bucket = self.hashes[start : start + SLOTS].tolist()
        if wanted in bucket:  # two ids of one hash: both must be told apart by their text
            position = start + bucket.index(wanted)
            other = int(self.rows[position])
            self._spill(owner(other), other)
            self.hashes[position] = FREE
        elif FREE in bucket and wanted not in self._spilled_hashes:
            position = start + bucket.index(FREE)
            self.hashes[position], self.rows[position] = wanted, row
            return
        self._spill(each, row)

    def remove(self, each: str) -> None:
        """``each`` is kept."""
        wanted = self._hash_of(each)
        if self._spilled.pop(each, None) is not None:
            self._spilled_hashes[wanted] -= 1
            if not self._spilled_hashes[wanted]:
                del self._spilled_hashes[wanted]
            return
        start = (wanted & self.mask) * SLOTS
        self.hashes[start + self.hashes[start : start + SLOTS].tolist().index(wanted)] = FREE

    def _spill(self, each: str, row: int) -> None:
        self._spilled[each] = row
        self._spilled_hashes[self._hash_of(each)] += 1
