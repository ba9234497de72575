"""The companions of items that lie in carts, kept in the process while Redis tells of changes."""

from __future__ import annotations

from collections.abc import Iterable

Companions = tuple[list[str], list[float]]  # items, and the share of each
CompanionRow = tuple[int, Companions | None]  # event timestamp in µs (0: no row), what a row holds if it is valid


class CompanionCache:
    """Bounded by ``capacity`` rows, the oldest goes first. Not for threads.

    A row that was read while its id changed must not be kept: ``ticket`` before the read, ``keep`` after it.
    """

    def __init__(self, capacity: int) -> None:
        self.is_coherent = False
        self._capacity = capacity
        self._rows: dict[str, CompanionRow] = {}
        self._changes = 0

    def get(self, item_id: str) -> CompanionRow | None:
        return self._rows.get(item_id)

    def ticket(self) -> int:
        return self._changes

    def keep(self, rows: dict[str, CompanionRow], ticket: int) -> None:
        """Not kept if anything changed since ``ticket``: seldom, and cheaper than to know what."""
        if not self.is_coherent or ticket != self._changes:
            return
        self._rows |= rows
        while len(self._rows) > self._capacity:
            del self._rows[next(iter(self._rows))]

    def forget(self, ids: Iterable[str]) -> None:
        self._changes += 1
        for each in ids:
            self._rows.pop(each, None)

    def clear(self) -> None:
        self._changes += 1
        self._rows.clear()
