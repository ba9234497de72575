"""Figures that describe a log: its size, who does how much, and how much is ordered again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import duckdb

from feature_repo.build.log_views import open_log
from feature_repo.live.checked_events import live_events
from feature_repo.live.event_files import reading
from infra.duckdb_connection import connect
from infra.settings import Settings


@dataclass(frozen=True)
class LogFacts:
    """Of what was received before a timestamp.

    rows:      table -> rows
    items:     that have an event; ``catalog``: all
    first:     and ``last``: received event, None without one
    actions:   (action, events, users), the most frequent first
    daily:     UTC day -> action -> events
    histories: (lower bound, users): users with that many events or more, below the next bound; bounds double
    repeats:   Monday of a week -> (orders, orders of an item that the user had ordered before)
    """

    rows: Mapping[str, int]
    users: int
    sessions: int
    items: int
    catalog: int
    slates: int
    first: datetime | None
    last: datetime | None
    actions: Sequence[tuple[str, int, int]]
    daily: Mapping[date, Mapping[str, int]]
    histories: Sequence[tuple[int, int]]
    repeats: Mapping[date, tuple[int, int]]

    @property
    def days(self) -> int:
        """UTC days from the first to the last event, both counted."""
        return 0 if self.first is None or self.last is None else (self.last.date() - self.first.date()).days + 1

    @property
    def repeat_share(self) -> float | None:
        orders = sum(all_orders for all_orders, _ in self.repeats.values())
        return sum(again for _, again in self.repeats.values()) / orders if orders else None


def log_facts(settings: Settings, at: datetime | None) -> LogFacts:
    """``at``: nothing received then or later is read; None: all is. Raises DatasetError."""
    with reading(settings.live_dir), connect(settings) as connection:
        open_log(connection, settings, live_events(settings))
        known = {"at": at}
        connection.execute(
            "CREATE TEMP TABLE seen AS SELECT user_id, session_id, item_id, action, received_ts, day FROM events "
            "WHERE $at::TIMESTAMPTZ IS NULL OR received_ts < $at",
            known,
        )
        users, sessions, items, events, first, last = connection.execute(
            "SELECT count(DISTINCT user_id), count(DISTINCT session_id), count(DISTINCT item_id), count(*), "
            "min(received_ts), max(received_ts) FROM seen"
        ).fetchall()[0]
        impressions, slates = connection.execute(
            "SELECT count(*), count(DISTINCT slate_id) FROM impressions "
            "WHERE $at::TIMESTAMPTZ IS NULL OR shown_ts < $at",
            known,
        ).fetchall()[0]
        rows, catalog = connection.execute(
            "SELECT count(*), count(DISTINCT item_id) FROM items WHERE $at::TIMESTAMPTZ IS NULL OR valid_from_ts < $at",
            known,
        ).fetchall()[0]
        return LogFacts(
            rows={"events": events, "impressions": impressions, "item versions": rows},
            users=users,
            sessions=sessions,
            items=items,
            catalog=catalog,
            slates=slates,
            first=first,
            last=last,
            actions=_rows(
                connection,
                "SELECT action, count(*), count(DISTINCT user_id) FROM seen GROUP BY action ORDER BY 2 DESC, 1",
            ),
            daily=_daily(connection),
            histories=_rows(
                connection,
                "SELECT (2 ** floor(log2(events)))::BIGINT, count(*) FROM "
                "(SELECT count(*) AS events FROM seen GROUP BY user_id) GROUP BY 1 ORDER BY 1",
            ),
            repeats=_repeats(connection),
        )


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[Any]:
    found: list[Any] = connection.execute(query).fetchall()
    return found


def _daily(connection: duckdb.DuckDBPyConnection) -> dict[date, dict[str, int]]:
    found: dict[date, dict[str, int]] = {}
    query = "SELECT day::DATE, action, count(*) FROM seen GROUP BY ALL ORDER BY ALL"
    for day, action, events in connection.execute(query).fetchall():
        found.setdefault(day, {})[action] = events
    return found


def _repeats(connection: duckdb.DuckDBPyConnection) -> dict[date, tuple[int, int]]:
    """Orders of one user, item and time count once, whatever the number of their lines."""
    query = """
        WITH orders AS (
            SELECT DISTINCT user_id, item_id, received_ts FROM seen WHERE action = 'order' AND item_id IS NOT NULL
        ), numbered AS (
            SELECT received_ts, row_number() OVER (PARTITION BY user_id, item_id ORDER BY received_ts) AS number
            FROM orders
        )
        SELECT date_trunc('week', received_ts)::DATE, count(*), count(*) FILTER (number > 1)
        FROM numbered GROUP BY 1 ORDER BY 1
    """
    return {week: (orders, again) for week, orders, again in connection.execute(query).fetchall()}
