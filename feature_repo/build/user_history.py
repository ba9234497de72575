"""The view user_history: the items that a user ordered, as aligned arrays, latest first.

Each (user, item, day) with an order opens an interval. Its counts, first order and latest order hold until the next
interval of the same (user, item). A row of the view collects the intervals that are open at its midnight. Users are
processed in shares, to bound memory.

A basket is what a user orders in one session and day, as user_windows counts them; baskets are numbered by time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa

from feature_repo.build.log_views import midnights
from feature_repo.build.order_sums import order_sums
from feature_repo.schema import HISTORY_LIMIT, USER_HISTORY

SHARES = 16
SUMS = tuple(column.name.removeprefix("history_") for column in USER_HISTORY.columns[5:])


def queries(connection: duckdb.DuckDBPyConnection, until: datetime) -> Iterator[str]:
    """One query per share, to be run before the next is asked for: it reads a table that is then replaced."""
    for share in range(SHARES):
        connection.register("ordered_days", _ordered_days(connection, until, share))
        yield _query(until)
    connection.unregister("ordered_days")


def _ordered_days(connection: duckdb.DuckDBPyConnection, until: datetime, share: int) -> pa.Table:
    """One row per user, item and day with an order: what was so at the end of the day, since the first order."""
    orders = connection.sql(
        f"""
        WITH orders AS (
            SELECT * FROM events
            WHERE action = 'order' AND day < '{until.isoformat()}' AND hash(user_id) % {SHARES} = {share}
        ), baskets AS (
            SELECT user_id, session_id, day, count(item_id) AS basket_size,
                row_number() OVER (PARTITION BY user_id ORDER BY min(received_ts), session_id, day) AS basket
            FROM orders GROUP BY user_id, session_id, day
        )
        SELECT user_id, item_id, day, epoch_us(received_ts) AS ordered_us, basket, basket_size,
            max(coalesce(category_id, '')) OVER (PARTITION BY user_id, item_id, day) AS category_id,
            row_number() OVER so_far AS orders, first_value(epoch_us(received_ts)) OVER so_far AS first_us,
            lead(day) OVER so_far IS DISTINCT FROM day AS ends_day
        FROM orders JOIN baskets USING (user_id, session_id, day) WHERE item_id IS NOT NULL
        WINDOW so_far AS (PARTITION BY user_id, item_id ORDER BY received_ts, basket)
        ORDER BY user_id, item_id, orders
        """
    ).to_arrow_table()
    count, ordered_us, basket, size = (
        orders[name].to_numpy().astype(np.int64) for name in ("orders", "ordered_us", "basket", "basket_size")
    )
    for name, values in order_sums(count == 1, ordered_us, basket, size).items():
        orders = orders.append_column(name, pa.array(values))
    return orders.filter(orders["ends_day"])


def _query(until: datetime) -> str:
    changes = "SELECT user_id, day + INTERVAL 1 DAY AS midnight FROM ordered_days"
    return f"""
        WITH grid AS (
            {midnights(changes, "user_id", until, USER_HISTORY.ttl / 2)}
        ), intervals AS (
            SELECT *, day + INTERVAL 1 DAY AS opens,
                coalesce(lead(day) OVER (PARTITION BY user_id, item_id ORDER BY day) + INTERVAL 1 DAY, 'infinity')
                    AS closes
            FROM ordered_days
        )
        SELECT user_id, midnight AS event_timestamp,
            list_transform(latest, lambda x: x.item_id) AS history_items,
            list_transform(latest, lambda x: x.category_id) AS history_categories,
            list_transform(latest, lambda x: x.orders) AS history_counts,
            list_transform(latest, lambda x: x.first_us) AS history_first_us,
            list_transform(latest, lambda x: -x.newest) AS history_last_us,
            {", ".join(f"list_transform(latest, lambda x: x.{name}) AS history_{name}" for name in SUMS)}
        FROM (
            SELECT g.user_id, midnight, list_sort(list({{
                'newest': -ordered_us, 'item_id': item_id, 'category_id': category_id,
                'orders': orders, 'first_us': first_us, {", ".join(f"'{name}': {name}" for name in SUMS)}
            }}))[:{HISTORY_LIMIT}] AS latest
            FROM grid g JOIN intervals i ON i.user_id = g.user_id AND i.opens <= g.midnight AND g.midnight < i.closes
            GROUP BY g.user_id, midnight
        )
    """
