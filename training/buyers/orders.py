"""Users and their orders from the log, as it was known at a timestamp."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from feature_repo.build.log_views import open_log
from feature_repo.definitions.extents import SESSION_EXPIRY
from feature_repo.live.checked_events import live_events
from feature_repo.live.event_files import reading
from infra.duckdb_connection import connect
from infra.settings import Settings
from training.candidates.known_log import log_reaches


class NotKnownYet(ValueError):
    """Asked for what happened after the timestamp at which the log was opened."""


@dataclass(frozen=True)
class Orders:
    """``connection`` has these, without a row of ``known_at`` or later:

    ordered:    user_id, received_ts, item_id (null where the order has none); a row per order
    first_seen: user_id, first_ts of any event
    known:      user_id, session_id, received_ts, … of all events, a view of the log's files

    ``items``, the catalog, is of all times.
    """

    connection: duckdb.DuckDBPyConnection
    known_at: datetime

    def users(self, before: datetime) -> pa.Array:
        """(n,) ids of the users with an event before, in sorted order. Raises NotKnownYet."""
        self._check(before)
        return self._column(
            "SELECT user_id FROM first_seen WHERE first_ts < $before ORDER BY user_id", {"before": before}
        )

    def items(self, before: datetime) -> int:
        """How many items the catalog or an event names before. Raises NotKnownYet."""
        self._check(before)
        found: int = self.connection.execute(
            "SELECT count(*) FROM (SELECT item_id FROM items WHERE valid_from_ts < $before "
            "UNION SELECT item_id FROM known WHERE received_ts < $before AND item_id IS NOT NULL)",
            {"before": before},
        ).fetchall()[0][0]
        return found

    def first_event(self) -> datetime | None:
        found = self.connection.execute("SELECT min(first_ts) FROM first_seen").fetchall()[0][0]
        return None if found is None else found.astimezone(UTC)

    def buyers(self, start: datetime, end: datetime) -> pa.Array:
        """(b,) ids of the users with an order in [start, end), in sorted order. Raises NotKnownYet."""
        self._check(end)
        return self._column(
            "SELECT DISTINCT user_id FROM ordered WHERE received_ts >= $start AND received_ts < $end ORDER BY user_id",
            {"start": start, "end": end},
        )

    def bought(self, start: datetime, end: datetime) -> pa.Table:
        """(user_id, item_id) of all that was ordered in [start, end), each once, sorted. Raises NotKnownYet."""
        self._check(end)
        return self.connection.sql(
            "SELECT DISTINCT user_id, item_id FROM ordered WHERE item_id IS NOT NULL "
            "AND received_ts >= $start AND received_ts < $end ORDER BY user_id, item_id",
            params={"start": start, "end": end},
        ).to_arrow_table()

    def live_sessions(self, at: datetime) -> dict[str, str]:
        """User -> the session of the newest event, where that is less than SESSION_EXPIRY ago. Raises NotKnownYet."""
        self._check(at)
        found = self.connection.execute(
            "SELECT user_id, arg_max(session_id, (received_ts, session_id)) FROM known "
            "WHERE received_ts >= $since AND received_ts < $at GROUP BY user_id",
            {"since": at - SESSION_EXPIRY, "at": at},
        ).fetchall()
        return dict(found)

    def trending(self, at: datetime, days: int, limit: int) -> list[str]:
        """The items that most users ordered in the ``days`` before, then those of all time. Raises NotKnownYet."""
        self._check(at)
        recent = f"count(DISTINCT user_id) FILTER (received_ts >= $at - INTERVAL {days} DAY)"
        found = self._column(
            f"SELECT item_id FROM ordered WHERE item_id IS NOT NULL AND received_ts < $at GROUP BY item_id "
            f"ORDER BY {recent} DESC, count(DISTINCT user_id) DESC, item_id LIMIT {limit}",
            {"at": at},
        )
        items: list[str] = found.to_pylist()
        return items

    def _check(self, until: datetime) -> None:
        if until > self.known_at:
            raise NotKnownYet(f"asked for {until.isoformat()}, but the log is as known at {self.known_at.isoformat()}")

    def _column(self, sql: str, parameters: dict[str, Any]) -> pa.Array:
        found = self.connection.sql(sql, params=parameters).to_arrow_table().column(0)
        return found.combine_chunks().cast(pa.string())


@contextmanager
def open_orders(settings: Settings, known_at: datetime) -> Iterator[Orders]:
    """Raises DatasetError for an unusable log."""
    with reading(settings.live_dir), connect(settings) as connection:
        open_log(connection, settings, live_events(settings))
        until = known_at.astimezone(UTC).isoformat()  # a view takes no parameters
        connection.execute(
            f"CREATE VIEW known AS SELECT user_id, session_id, received_ts, action, item_id FROM events "
            f"WHERE received_ts < TIMESTAMPTZ '{until}'"
        )
        connection.execute(
            "CREATE TEMP TABLE ordered AS SELECT user_id, received_ts, item_id FROM known WHERE action = 'order'"
        )
        connection.execute(
            "CREATE TEMP TABLE first_seen AS SELECT user_id, min(received_ts) AS first_ts FROM known GROUP BY user_id"
        )
        yield Orders(connection, known_at)


def has_happened(settings: Settings, start: datetime, days: int) -> bool:
    """Whether the log reaches to the end of the window of ``days`` from ``start``."""
    return log_reaches(settings) >= start + timedelta(days=days)
