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
from feature_repo.candidates.ragged import Ragged
from feature_repo.definitions.extents import HISTORY_LIMIT
from feature_repo.definitions.views import USER_HISTORY

SHARES = 16
SUMS = tuple(column.name.removeprefix("history_") for column in USER_HISTORY.columns[5:])
_COLUMNS = {
    "items": "item_id", "categories": "category_id", "counts": "orders",
    "first_us": "first_us", "last_us": "ordered_us", **{name: name for name in SUMS},
}  # fmt: skip
"""Name of a list, without its prefix -> the column of an ordered day that it holds."""


def queries(connection: duckdb.DuckDBPyConnection, until: datetime) -> Iterator[str]:
    """One query per share, to be run before the next is asked for: it reads a table that is then replaced."""
    for share in range(SHARES):
        days = _ordered_days(connection, until, share)
        connection.register("ordered_days", days)
        connection.register("history_rows", _history_rows(connection, days, until))
        yield "SELECT * FROM history_rows"
    connection.unregister("history_rows")
    connection.unregister("ordered_days")


def _ordered_days(connection: duckdb.DuckDBPyConnection, until: datetime, share: int) -> pa.Table:
    """One row per user, item and day with an order: what was so at the end of the day, since the first order.

    The rows are numbered by their latest order, the newest first: in this order they stand in a list.
    """
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
    days = orders.filter(orders["ends_day"]).sort_by([("ordered_us", "descending"), ("item_id", "ascending")])
    return days.append_column("number", pa.array(np.arange(len(days))))


def _history_rows(connection: duckdb.DuckDBPyConnection, days: pa.Table, until: datetime) -> pa.Table:
    """The rows of the view. DuckDB finds which ``days`` are open at each midnight. The lists are put together here: as
    lists of structs in DuckDB they take several times as long.
    """
    changes = "SELECT user_id, day + INTERVAL 1 DAY AS midnight FROM ordered_days"
    grid = connection.sql(
        f"""
        SELECT user_id, midnight AS event_timestamp, row_number() OVER (ORDER BY user_id, midnight) - 1 AS row
        FROM ({midnights(changes, "user_id", until, USER_HISTORY.ttl / 2)}) ORDER BY row
        """
    ).to_arrow_table()
    connection.register("history_grid", grid)
    found = connection.execute(
        """
        WITH intervals AS (
            SELECT user_id, number, day + INTERVAL 1 DAY AS opens,
                coalesce(lead(day) OVER (PARTITION BY user_id, item_id ORDER BY day) + INTERVAL 1 DAY, 'infinity')
                    AS closes
            FROM ordered_days
        )
        SELECT row, number FROM history_grid g
        JOIN intervals i ON i.user_id = g.user_id AND i.opens <= event_timestamp AND event_timestamp < i.closes
        ORDER BY row, number
        """
    ).fetchnumpy()
    connection.unregister("history_grid")
    lists = Ragged.of_lengths(np.bincount(found["row"], minlength=len(grid)))
    numbers = pa.array(found["number"][lists.positions < HISTORY_LIMIT])
    starts = pa.array(Ragged.of_lengths(np.minimum(lists.lengths, HISTORY_LIMIT)).starts.astype(np.int32))
    columns = {
        f"history_{name}": pa.ListArray.from_arrays(starts, days[column].combine_chunks().take(numbers))
        for name, column in _COLUMNS.items()
    }
    return pa.table({"user_id": grid["user_id"], "event_timestamp": grid["event_timestamp"], **columns})
