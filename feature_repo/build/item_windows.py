"""The view item_windows: counts over 1, 7 and 28 days, smoothed conversion, and price comparisons.

The events of a day are known from the next UTC midnight on. Views and carts are null before the log's first such
event. Otherwise an item of a source without views would look like an item without viewers.
"""

from __future__ import annotations

from datetime import datetime

import duckdb

from feature_repo.build.log_views import midnights
from feature_repo.definitions.extents import WINDOWS_DAYS
from feature_repo.definitions.views import ITEM_WINDOWS

CONVERSION_PRIOR_ORDERS = 1.0
CONVERSION_PRIOR_VIEWS = 20.0
_COUNTED = {"views": "view", "carts": "add_to_cart", "orders": "order"}


def prepare(connection: duckdb.DuckDBPyConnection, until: datetime) -> None:
    """Create the tables that :func:`query` reads."""
    counts = ", ".join(f"count(*) FILTER (action = '{action}') AS {name}" for name, action in _COUNTED.items())
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE item_days AS
        SELECT item_id, day, {counts},
            count(DISTINCT user_id) FILTER (action = 'order') AS buyers,
            coalesce(sum(value) FILTER (action = 'order'), 0) AS revenue,
            min(received_ts) AS first_seen, max(received_ts) FILTER (action = 'order') AS last_order
        FROM events WHERE item_id IS NOT NULL AND day < '{until.isoformat()}'
        GROUP BY item_id, day
        """
    )
    # Each version of an item, with the mean of its prices so far. A live change of stock alone is no price.
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE item_versions AS
        SELECT item_id, valid_from_ts, category_id, price,
            avg(price) FILTER (changed IS NULL OR list_has_any(changed, ['price', 'category_id'])) OVER so_far
                AS mean_price, min(valid_from_ts) OVER so_far AS first_version
        FROM items WINDOW so_far AS (PARTITION BY item_id ORDER BY valid_from_ts)
        """
    )
    _prepare_categories(connection)
    leaving = ", ".join(f"INTERVAL {days + 1} DAY" for days in (0, *WINDOWS_DAYS))
    changes = f"""
        SELECT item_id, day + unnest([{leaving}]) AS midnight FROM item_days
        UNION ALL SELECT item_id, date_trunc('day', valid_from_ts) + INTERVAL 1 DAY FROM items
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE item_grid AS " + midnights(changes, "item_id", until, ITEM_WINDOWS.ttl / 2)
    )


def _prepare_categories(connection: duckdb.DuckDBPyConnection) -> None:
    """Create category_orders (orders of the last 28 days) and category_prices (running price sums), per midnight."""
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE category_orders AS
        WITH daily AS (
            SELECT category_id, day + INTERVAL 1 DAY AS midnight, count(*) AS orders
            FROM events WHERE action = 'order' AND category_id IS NOT NULL GROUP BY category_id, day
        ), grid AS (
            SELECT category_id, midnight, orders FROM daily
            UNION ALL SELECT category_id, midnight + INTERVAL 28 DAY, 0 FROM daily
        )
        SELECT category_id, midnight, sum(orders) OVER (
            PARTITION BY category_id ORDER BY midnight RANGE BETWEEN INTERVAL 27 DAY PRECEDING AND CURRENT ROW
        ) AS orders
        FROM (SELECT category_id, midnight, sum(orders) AS orders FROM grid GROUP BY category_id, midnight);
        CREATE OR REPLACE TEMP TABLE category_prices AS
        WITH spans AS (
            SELECT category_id, price, valid_from_ts AS enters,
                lead(valid_from_ts) OVER (PARTITION BY item_id ORDER BY valid_from_ts) AS leaves
            FROM item_versions
        ), steps AS (
            SELECT category_id, date_trunc('day', enters) + INTERVAL 1 DAY AS midnight, price, 1 AS priced
            FROM spans WHERE price IS NOT NULL AND category_id IS NOT NULL
            UNION ALL
            SELECT category_id, date_trunc('day', leaves) + INTERVAL 1 DAY, -price, -1
            FROM spans WHERE price IS NOT NULL AND category_id IS NOT NULL AND leaves IS NOT NULL
        )
        SELECT category_id, midnight, sum(sum(price)) OVER so_far AS total, sum(sum(priced)) OVER so_far AS priced
        FROM steps GROUP BY category_id, midnight WINDOW so_far AS (PARTITION BY category_id ORDER BY midnight);
        """
    )


def query() -> str:
    return f"""
        WITH first_events AS (
            SELECT {", ".join(f"min(received_ts) FILTER (action = '{_COUNTED[n]}') AS {n}" for n in ("views", "carts"))}
            FROM events
        ), windowed AS (
            SELECT g.item_id, g.midnight,
                {", ".join(_counts(name, days) for name in _COUNTED for days in WINDOWS_DAYS)},
                sum(coalesce(buyers, 0)) OVER days_28 AS buyers_28d,
                sum(coalesce(revenue, 0)) OVER days_28 AS revenue_28d,
                min(first_seen) OVER so_far AS first_event, max(last_order) OVER so_far AS last_order
            FROM item_grid g LEFT JOIN item_days d ON d.item_id = g.item_id AND d.day = g.midnight - INTERVAL 1 DAY
            WINDOW so_far AS (PARTITION BY g.item_id ORDER BY g.midnight), {_windows()}
        ), versioned AS (
            SELECT w.*, v.category_id, v.price, v.mean_price, v.first_version
            FROM windowed w ASOF LEFT JOIN item_versions v ON w.item_id = v.item_id AND w.midnight > v.valid_from_ts
        ), ordered AS (
            SELECT v.*, c.orders AS category_orders FROM versioned v
            ASOF LEFT JOIN category_orders c ON v.category_id = c.category_id AND v.midnight >= c.midnight
        ), priced AS (
            SELECT o.*, p.total / nullif(p.priced, 0) AS category_price FROM ordered o
            ASOF LEFT JOIN category_prices p ON o.category_id = p.category_id AND o.midnight >= p.midnight
        )
        SELECT item_id, midnight AS event_timestamp,
            {", ".join(_published(name, days) for name in _COUNTED for days in WINDOWS_DAYS)},
            {", ".join(_conversion(days) for days in WINDOWS_DAYS)},
            buyers_28d, revenue_28d,
            price::DOUBLE / nullif(mean_price, 0) AS price_vs_history,
            price::DOUBLE / nullif(category_price::DOUBLE, 0) AS price_vs_category,
            CASE WHEN category_id IS NOT NULL THEN coalesce(category_orders, 0) END AS category_orders_28d,
            epoch_us(least(first_event, first_version)) AS first_seen_us,
            epoch_us(last_order) AS last_order_us
        FROM priced, first_events
    """


def _windows() -> str:
    return ", ".join(
        f"days_{days} AS (PARTITION BY g.item_id ORDER BY g.midnight "
        f"RANGE BETWEEN INTERVAL {days - 1} DAY PRECEDING AND CURRENT ROW)"
        for days in WINDOWS_DAYS
    )


def _counts(name: str, days: int) -> str:
    return f"sum(coalesce({name}, 0)) OVER days_{days} AS {name}_{days}d"


def _published(name: str, days: int) -> str:
    if name == "orders":
        return f"orders_{days}d"
    return f"CASE WHEN first_events.{name} < midnight THEN {name}_{days}d END AS {name}_{days}d"


def _conversion(days: int) -> str:
    smoothed = f"(orders_{days}d + {CONVERSION_PRIOR_ORDERS}) / (views_{days}d + {CONVERSION_PRIOR_VIEWS})"
    return f"CASE WHEN first_events.views < midnight THEN {smoothed} END AS conversion_{days}d"
