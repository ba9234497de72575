"""The log's users, whom a visitor may act as: who they are, where they shop, and what they ordered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from feature_repo.schema import Declaration
from infra.duckdb_connection import connect
from infra.settings import Settings

SHOWN = 12
MAX_ORDERS = 12

_LIVELY = """
SELECT user_id, count(DISTINCT session_id) AS orders, max(event_ts) AS last_ts,
    arg_max(category_id, per_category) AS favourite
FROM (
    SELECT *, count(*) OVER (PARTITION BY user_id, category_id) AS per_category
    FROM read_parquet($events) WHERE action = 'order' AND item_id IS NOT NULL
)
GROUP BY user_id
QUALIFY row_number() OVER (PARTITION BY favourite ORDER BY orders DESC, user_id) <= 2
ORDER BY orders DESC, user_id
LIMIT $many
"""
_ORDERS = """
SELECT session_id, event_ts, list(item_id ORDER BY item_id) AS items, CAST(sum(value) AS DOUBLE) AS value
FROM read_parquet($events)
WHERE user_id = $user AND action = 'order' AND item_id IS NOT NULL
GROUP BY session_id, event_ts ORDER BY event_ts DESC LIMIT $many
"""


@dataclass(frozen=True)
class LogUser:
    """``favourite``: the category ordered most."""

    user_id: str
    orders: int
    favourite: str | None
    last_ts: datetime


@dataclass(frozen=True)
class PastOrder:
    """One basket. ``value``: money paid, None where unknown."""

    ordered_at: datetime
    item_ids: Sequence[str]
    value: float | None


@dataclass(frozen=True)
class LogUsers:
    """Reads the log's files; each call blocks for a moment. A log without a file knows nobody."""

    settings: Settings
    declaration: Declaration
    _lively: list[LogUser] = field(init=False, repr=False, default_factory=list)

    def shown(self) -> Sequence[LogUser]:
        """Those that the welcome page offers; read once."""
        if not self._lively:
            self._lively.extend(self.lively(SHOWN))
        return self._lively

    def lively(self, many: int) -> Sequence[LogUser]:
        """Some with many orders and different tastes."""
        rows = self._rows(_LIVELY, "events", many=many)
        return [LogUser(user, orders, favourite, last) for user, orders, last, favourite in rows]

    def knows(self, user_id: str) -> bool:
        return bool(
            self._rows("SELECT 1 FROM read_parquet($events) WHERE user_id = $user LIMIT 1", "events", user=user_id)
        )

    def context(self, user_id: str) -> dict[str, str]:
        """The context of the user's latest slate, such as the store."""
        names = [column.name for column in self.declaration.context]
        if not names:
            return {}
        columns = ", ".join(f'arg_max("{name}", shown_ts)' for name in names)
        sql = f"SELECT {columns} FROM read_parquet($impressions) WHERE user_id = $user"
        rows = self._rows(sql, "impressions", user=user_id)
        return {name: value for name, value in zip(names, rows[0], strict=True) if value is not None} if rows else {}

    def orders(self, user_id: str) -> list[PastOrder]:
        """The latest first."""
        rows = self._rows(_ORDERS, "events", user=user_id, many=MAX_ORDERS)
        return [PastOrder(at, items, value) for _, at, items, value in rows]

    def _rows(self, sql: str, table: str, **parameters: Any) -> list[tuple[Any, ...]]:
        path: Path = self.settings.log_dir / f"{table}.parquet"
        if not path.is_file():
            return []
        connection: duckdb.DuckDBPyConnection
        with connect(self.settings) as connection:
            return list(connection.execute(sql, {table: str(path), **parameters}).fetchall())
