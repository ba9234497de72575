"""What the marketplace keeps, in one SQLite file below the state folder: all workers of a scorer share it.

Accounts, visits, carts, likes and orders outlive a restart. Redis holds none of it, so the shop goes on without Redis.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TIMEOUT_S = 5.0
_TABLES = """
CREATE TABLE IF NOT EXISTS accounts (
    name TEXT PRIMARY KEY, password_hash TEXT NOT NULL, created_us INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS attempts (name TEXT PRIMARY KEY, failures INTEGER NOT NULL, last_us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS visits (
    visit_id TEXT PRIMARY KEY, token TEXT NOT NULL, kind TEXT NOT NULL, user_id TEXT NOT NULL,
    session_id TEXT NOT NULL, context TEXT NOT NULL, ordering TEXT NOT NULL, started_us INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS cart (
    user_id TEXT, item_id TEXT, quantity INTEGER NOT NULL, request_id TEXT, shown_position INTEGER,
    added_us INTEGER NOT NULL, PRIMARY KEY (user_id, item_id)
);
CREATE TABLE IF NOT EXISTS likes (
    user_id TEXT, item_id TEXT, liked_us INTEGER NOT NULL, PRIMARY KEY (user_id, item_id)
);
CREATE TABLE IF NOT EXISTS orders (order_id TEXT PRIMARY KEY, user_id TEXT NOT NULL, ordered_us INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS orders_of ON orders (user_id, ordered_us);
CREATE TABLE IF NOT EXISTS order_lines (
    order_id TEXT, item_id TEXT, quantity INTEGER NOT NULL, price REAL, PRIMARY KEY (order_id, item_id)
);
CREATE TABLE IF NOT EXISTS unsent (event_id TEXT PRIMARY KEY, event BLOB NOT NULL, kept_us INTEGER NOT NULL);
"""


class Database:
    """One connection per process, used by one thread at a time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            folder / "shop.sqlite", timeout=TIMEOUT_S, check_same_thread=False, isolation_level=None
        )
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_TABLES)

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(sql, parameters).fetchall()

    def row(self, sql: str, *parameters: Any) -> tuple[Any, ...] | None:
        found = self.rows(sql, *parameters)
        return found[0] if found else None

    def write(self, sql: str, *parameters: Any) -> int:
        """Returns how many rows changed."""
        with self._lock:
            return self._connection.execute(sql, parameters).rowcount

    @contextmanager
    def together(self) -> Iterator[sqlite3.Connection]:
        """Several statements that all count, or none of them."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def write_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        with self.together() as connection:
            connection.executemany(sql, rows)

    def close(self) -> None:
        with self._lock:
            self._connection.close()
