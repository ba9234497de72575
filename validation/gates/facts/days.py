"""What happened on each UTC day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from infra.limits import EARLIEST, LATEST


@dataclass(frozen=True)
class ActionFacts:
    """``users``: distinct users who did it. ``with_item``: events that name an item."""

    action: str
    events: int
    users: int
    with_item: int


@dataclass(frozen=True)
class DayFacts:
    """Each maps a UTC day to a count; days without any, and those beyond :mod:`infra.limits`, are left out.

    events:    day -> action -> events
    new_users: seen for the first time in events or impressions; ``new_items``: likewise
    actions:   the most frequent first
    """

    events: Mapping[date, Mapping[str, int]]
    slates: Mapping[date, int]
    positives: Mapping[date, int]
    new_users: Mapping[date, int]
    new_items: Mapping[date, int]
    actions: Sequence[ActionFacts]


def day_facts(connection: duckdb.DuckDBPyConnection) -> DayFacts:
    events: dict[date, dict[str, int]] = {}
    for day, action, count in connection.execute(
        f"SELECT event_ts::DATE, action, count(*) FROM events WHERE {_dated('event_ts')} AND action IS NOT NULL "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        events.setdefault(day, {})[action] = count
    shown = connection.execute(
        "SELECT shown_ts::DATE, count(DISTINCT slate_id), count(*) FILTER (label > 0) FROM impressions "
        f"WHERE {_dated('shown_ts')} GROUP BY 1 ORDER BY 1"
    ).fetchall()
    actions = connection.execute(
        "SELECT action, count(*), count(DISTINCT user_id), count(item_id) FROM events WHERE action IS NOT NULL "
        "GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    return DayFacts(
        events,
        {day: slates for day, slates, _ in shown},
        {day: positives for day, _, positives in shown},
        _new(connection, "user_id"),
        _new(connection, "item_id"),
        [ActionFacts(*row) for row in actions],
    )


def _new(connection: duckdb.DuckDBPyConnection, column: str) -> dict[date, int]:
    rows = connection.execute(
        f"""
        SELECT min(ts)::DATE AS day, count(*) FROM (
            SELECT {column} AS id, min(ts) AS ts FROM (
                SELECT {column}, min(event_ts) AS ts FROM events WHERE {_dated("event_ts")} GROUP BY 1
                UNION ALL SELECT {column}, min(shown_ts) FROM impressions WHERE {_dated("shown_ts")} GROUP BY 1
            ) WHERE {column} IS NOT NULL GROUP BY 1
        ) GROUP BY ts::DATE ORDER BY 1
        """
    ).fetchall()
    return dict(rows)


def _dated(column: str) -> str:
    """SQL for a timestamp within the limits. A plot of all days up to another one would show nothing."""
    return f"{column} >= TIMESTAMPTZ '{EARLIEST.isoformat()}' AND {column} < TIMESTAMPTZ '{LATEST.isoformat()}'"
