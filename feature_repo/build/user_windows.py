"""The view user_windows: frequency, recency and spend per user."""

from __future__ import annotations

from datetime import datetime

from feature_repo.build.log_views import midnights
from feature_repo.definitions.views import USER_WINDOWS


def query(until: datetime) -> str:
    changes = """
        SELECT user_id, day + unnest([INTERVAL 1 DAY, INTERVAL 8 DAY, INTERVAL 29 DAY]) AS midnight FROM user_days
    """
    return f"""
        WITH user_days AS (
            SELECT user_id, day,
                count(DISTINCT session_id) FILTER (action = 'order') AS orders,
                count(*) FILTER (action = 'order') AS items,
                coalesce(sum(value) FILTER (action = 'order'), 0) AS spend,
                min(received_ts) AS first_seen, max(received_ts) FILTER (action = 'order') AS last_order
            FROM events WHERE day < '{until.isoformat()}' GROUP BY user_id, day
        ), grid AS (
            {midnights(changes, "user_id", until, USER_WINDOWS.ttl / 2)}
        ), windowed AS (
            SELECT g.user_id, g.midnight,
                sum(coalesce(orders, 0)) OVER days_7 AS orders_7d,
                sum(coalesce(orders, 0)) OVER days_28 AS orders_28d,
                sum(coalesce(items, 0)) OVER days_28 AS items_28d,
                sum(coalesce(spend, 0)) OVER days_28 AS spend_28d,
                sum(coalesce(orders, 0)) OVER so_far AS orders_all,
                sum(coalesce(items, 0)) OVER so_far AS items_all,
                sum(coalesce(spend, 0)) OVER so_far AS spend_all,
                min(first_seen) OVER so_far AS first_seen, max(last_order) OVER so_far AS last_order
            FROM grid g LEFT JOIN user_days d ON d.user_id = g.user_id AND d.day = g.midnight - INTERVAL 1 DAY
            WINDOW so_far AS (PARTITION BY g.user_id ORDER BY g.midnight),
                days_7 AS (PARTITION BY g.user_id ORDER BY g.midnight
                    RANGE BETWEEN INTERVAL 6 DAY PRECEDING AND CURRENT ROW),
                days_28 AS (PARTITION BY g.user_id ORDER BY g.midnight
                    RANGE BETWEEN INTERVAL 27 DAY PRECEDING AND CURRENT ROW)
        )
        SELECT user_id, midnight AS event_timestamp,
            orders_7d AS user_orders_7d, orders_28d AS user_orders_28d, orders_all AS user_orders_all,
            items_28d AS user_items_28d, spend_28d AS user_spend_28d,
            spend_all::DOUBLE / nullif(orders_all, 0)::DOUBLE AS user_mean_basket,
            spend_all::DOUBLE / nullif(items_all, 0)::DOUBLE AS user_mean_price,
            (orders_all = 0)::INTEGER AS user_is_new,
            epoch_us(first_seen) AS user_first_seen_us, epoch_us(last_order) AS user_last_order_us
        FROM windowed
    """
