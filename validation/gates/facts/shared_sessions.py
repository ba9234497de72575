"""Session ids that several users share: one id of many users is no session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb


@dataclass(frozen=True)
class SharedSessions:
    """``by_users``: number of users -> sessions with so many. ``most``: the session with the most, None without one."""

    by_users: Mapping[int, int]
    most: str | None

    @property
    def sessions(self) -> int:
        return sum(self.by_users.values())

    def of_more_than(self, users: int) -> int:
        """Sessions with more than so many users."""
        return sum(sessions for number, sessions in self.by_users.items() if number > users)


def shared_sessions(connection: duckdb.DuckDBPyConnection, tables: Sequence[str]) -> SharedSessions:
    """Of ``tables`` together: events and impressions, or one of them."""
    pairs = " UNION ".join(f"SELECT session_id, user_id FROM {table}" for table in tables)
    rows = connection.execute(
        f"""
        SELECT users, count(*), min(session_id)
        FROM (SELECT session_id, count(DISTINCT user_id) AS users FROM ({pairs}) WHERE session_id IS NOT NULL
            GROUP BY session_id)
        GROUP BY users ORDER BY users
        """
    ).fetchall()
    return SharedSessions({users: sessions for users, sessions, _ in rows}, rows[-1][2] if rows else None)
