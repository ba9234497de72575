"""The companions of items in carts, held in the process while Redis reports changes."""

from __future__ import annotations

from collections.abc import Iterable

Companions = tuple[list[str], list[float]]  # items, and the share of each
CompanionRow = tuple[int, Companions | None]  # event timestamp in µs (0: no row), what a row holds if it is valid


class CompanionCache:
    """Holds at most ``capacity`` rows; the oldest are evicted first. Not thread-safe.

    A row that was read while its id changed must not be stored: take a ``ticket`` before the read, and pass it to
    ``store`` after it.
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

    def store(self, rows: dict[str, CompanionRow], ticket: int) -> None:
        """Stores nothing if any row changed since ``ticket``, which is rare."""
        if not self.is_coherent or ticket != self._changes:
            return
        self._rows |= rows
        while len(self._rows) > self._capacity:
            del self._rows[next(iter(self._rows))]

    def forget(self, ids: Iterable[str]) -> None:
        self._changes += 1
        for item_id in ids:
            self._rows.pop(item_id, None)

    def clear(self) -> None:
        self._changes += 1
        self._rows.clear()
