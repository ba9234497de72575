"""Times of orders of which only the days since the user's previous order are known.

Every user's last order is put on LAST_DAY or on that day of one of the weeks before it, by a seeded hash of the user.
So the order and the distance of one user's orders are true, and a trend over all users means nothing. With all of them
on one day, there would be nothing after any last order, and its labels would not be known to be complete.
"""

from __future__ import annotations

from feature_repo.datasets.files.staging import Staging

LAST_DAY, WEEKS, SEED = "2024-12-31", 4, 20241231
NOON = 12
_TABLES = {"given_events": "event_ts", "given_impressions": "shown_ts"}


def place_orders(staging: Staging) -> None:
    """Give the rows of ``given_events`` and ``given_impressions`` that have relative times a time."""
    placed = " UNION ALL ".join(
        f"SELECT relative_per, relative_order, relative_days, relative_hour FROM {table} WHERE relative_per IS NOT NULL"
        for table in _TABLES
    )
    if not staging.count(f"({placed})"):
        return
    staging.save("orders_placed", _placed(placed))
    for table, time in _TABLES.items():
        others = f"* EXCLUDE (t) REPLACE (coalesce({time}, t) AS {time})"
        query = f"SELECT {others} FROM {table} LEFT JOIN orders_placed USING (relative_per, relative_order)"
        staging.save(table, query)
    users = staging.row("SELECT count(DISTINCT relative_per) FROM orders_placed")[0]
    staging.note(
        "events", "users whose orders are dated from the days between them", users,
        f"the files have no dates: everybody's last order is in the {WEEKS} weeks up to {LAST_DAY}, so trends over all "
        "users mean nothing",
    )  # fmt: skip


def _placed(rows: str) -> str:
    """Orders of one hour are a minute apart, in their order."""
    return f"""
        WITH orders AS (
            SELECT relative_per, relative_order, min(relative_days) AS days, min(relative_hour) AS hour
            FROM ({rows}) GROUP BY relative_per, relative_order
        ), dated AS (
            SELECT relative_per, relative_order, coalesce(hour, {NOON}) AS hour,
                coalesce(sum(days) OVER later, 0) AS days_to_the_last
            FROM orders WINDOW later AS (
                PARTITION BY relative_per ORDER BY relative_order DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            )
        )
        SELECT relative_per, relative_order,
            TIMESTAMPTZ '{LAST_DAY} 00:00:00+00' - to_days(days_to_the_last::INTEGER) + to_hours(hour::INTEGER)
                - to_days(7 * (md5_number_lower('{SEED}:' || relative_per) % {WEEKS})::INTEGER)
                + to_minutes(row_number() OVER (
                    PARTITION BY relative_per, days_to_the_last, hour ORDER BY relative_order
                ) - 1) AS t
        FROM dated
    """
