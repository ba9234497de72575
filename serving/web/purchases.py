"""Carts, likes and orders of all visitors."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from infra.clock import epoch_us, timestamp_of
from serving.web.database import Database

MAX_QUANTITY = 99
MAX_SHOWN_ORDERS = 20


@dataclass(frozen=True)
class CartLine:
    """``request_id``, ``shown_position``: of the answer that the item was taken from, where there was one."""

    item_id: str
    quantity: int
    request_id: str | None
    shown_position: int | None


@dataclass(frozen=True)
class OrderLine:
    item_id: str
    quantity: int
    price: float | None


@dataclass(frozen=True)
class Order:
    order_id: str
    ordered_at: datetime
    lines: Sequence[OrderLine]

    @property
    def total(self) -> float:
        return sum(line.quantity * (line.price or 0.0) for line in self.lines)


@dataclass(frozen=True)
class Purchases:
    """Every method blocks for well under a millisecond."""

    database: Database

    def cart(self, user_id: str) -> list[CartLine]:
        """The item added first comes first."""
        columns = "item_id, quantity, request_id, shown_position"
        sql = f"SELECT {columns} FROM cart WHERE user_id = ? ORDER BY added_us, item_id"
        return [CartLine(*row) for row in self.database.rows(sql, user_id)]

    def cart_size(self, user_id: str) -> int:
        row = self.database.row("SELECT coalesce(sum(quantity), 0) FROM cart WHERE user_id = ?", user_id)
        return int(row[0]) if row else 0

    def add(self, user_id: str, item_id: str, now: datetime, request_id: str | None, position: int | None) -> None:
        self.database.write(
            "INSERT INTO cart VALUES (?, ?, 1, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET quantity = min(quantity + 1, ?)",
            user_id, item_id, request_id, position, epoch_us(now), MAX_QUANTITY,
        )  # fmt: skip

    def remove(self, user_id: str, item_id: str) -> bool:
        """Whether it was there."""
        return bool(self.database.write("DELETE FROM cart WHERE user_id = ? AND item_id = ?", user_id, item_id))

    def order(self, user_id: str, now: datetime, prices: Mapping[str, float | None]) -> tuple[str, list[CartLine]]:
        """The cart becomes an order, once, however often the form is sent. Without lines nothing is ordered."""
        order_id = secrets.token_hex(6)
        with self.database.together() as connection:
            sql = "DELETE FROM cart WHERE user_id = ? RETURNING item_id, quantity, request_id, shown_position"
            lines = [CartLine(*row) for row in connection.execute(sql, (user_id,)).fetchall()]
            if lines:
                connection.execute("INSERT INTO orders VALUES (?, ?, ?)", (order_id, user_id, epoch_us(now)))
                rows = [(order_id, line.item_id, line.quantity, prices.get(line.item_id)) for line in lines]
                connection.executemany("INSERT INTO order_lines VALUES (?, ?, ?, ?)", rows)
        return order_id, lines

    def orders(self, user_id: str) -> list[Order]:
        """The latest first."""
        found = self.database.rows(
            "SELECT order_id, ordered_us FROM orders WHERE user_id = ? ORDER BY ordered_us DESC LIMIT ?",
            user_id, MAX_SHOWN_ORDERS,
        )  # fmt: skip
        lines = "SELECT item_id, quantity, price FROM order_lines WHERE order_id = ? ORDER BY item_id"
        return [
            Order(order_id, timestamp_of(at_us), [OrderLine(*row) for row in self.database.rows(lines, order_id)])
            for order_id, at_us in found
        ]

    def likes(self, user_id: str) -> list[str]:
        """The latest first."""
        sql = "SELECT item_id FROM likes WHERE user_id = ? ORDER BY liked_us DESC, item_id"
        return [str(row[0]) for row in self.database.rows(sql, user_id)]

    def like(self, user_id: str, item_id: str, now: datetime) -> bool:
        """Like it, or no longer; whether it is liked now."""
        if self.database.write("DELETE FROM likes WHERE user_id = ? AND item_id = ?", user_id, item_id):
            return False
        self.database.write("INSERT OR IGNORE INTO likes VALUES (?, ?, ?)", user_id, item_id, epoch_us(now))
        return True
