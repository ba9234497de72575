"""The view item_repeats: how an item is ordered again by those who ordered it, every 7 days.

A repeat is an order of an item by a user who ordered it in an earlier basket; a basket is what a user orders in one
session and day. What is expected of the last 28 days are the orders before them, weighted by their age, so that an
item bought out of habit lies above one, and one bought once below.

The values of an item with few orders are drawn to those of its category, and a category's to those of all items.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb

from feature_repo.build.feature_writer import write_view
from feature_repo.build.log_views import snapshots
from feature_repo.definitions.extents import ITEM_REPEATS_EVERY
from feature_repo.definitions.views import ITEM_REPEATS

RECENT_DAYS = 28
HALF_LIFE_DAYS = 60
PRIOR_REPEATS, PRIOR_USERS = 0.5, 2.0
PRIOR_RECENT, PRIOR_EXPECTED = 1.0, 2.0
PRIOR_INTERVALS = 5.0
_UNIT = 1e-9  # sums are of whole units: DuckDB adds floats in any order, which would change their last bits


def write(connection: duckdb.DuckDBPyConnection, first: datetime, until: datetime, folder: Path) -> None:
    """``first`` is the time of the log's first event. Each snapshot is counted separately, to bound memory."""
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE bought_again AS
        WITH baskets AS (
            SELECT user_id, session_id, day, count(item_id) AS basket_size
            FROM events WHERE action = 'order' GROUP BY user_id, session_id, day
        ), bought AS (
            SELECT user_id, item_id, session_id, day, min(received_ts) AS received_ts, max(category_id) AS category_id
            FROM events WHERE action = 'order' AND item_id IS NOT NULL
            GROUP BY user_id, item_id, session_id, day
        )
        SELECT item_id, category_id, received_ts, basket_size, epoch(received_ts - lag(received_ts) OVER (
            PARTITION BY user_id, item_id ORDER BY received_ts, session_id, day
        )) AS interval_s
        FROM bought JOIN baskets USING (user_id, session_id, day);
        """
    )
    write_view(
        connection, ITEM_REPEATS, (_snapshot(each) for each in snapshots(ITEM_REPEATS_EVERY, first, until)), folder
    )


def _snapshot(midnight: datetime) -> str:
    """Of all items with an order before ``midnight``."""
    now = f"TIMESTAMPTZ '{midnight.isoformat()}'"
    recent = f"received_ts >= {now} - INTERVAL {RECENT_DAYS} DAY"
    age_days = f"(epoch({now} - received_ts) / 86400 - {RECENT_DAYS})"
    return f"""
        WITH by_item AS (
            SELECT item_id, arg_max_null(category_id, (received_ts, coalesce(category_id, ''))) AS category_id,
                count(*) - count(interval_s) AS users, count(interval_s) AS repeats,
                count(interval_s) FILTER ({recent}) AS recent_repeats,
                {_sum(f"CASE WHEN {recent} THEN 0 ELSE pow(0.5, {age_days} / {HALF_LIFE_DAYS}) END")} AS expected,
                coalesce({_sum("ln(1 + interval_s / 86400)")}, 0) AS logs,
                {_sum(f"CASE WHEN {recent} THEN 1.0 / basket_size END")} / count(*) FILTER ({recent}) AS basket_share
            FROM bought_again WHERE received_ts < {now} GROUP BY item_id
        ), by_category AS (
            SELECT category_id, ({_sum("recent_repeats")} + {PRIOR_RECENT}) / ({_sum("expected")} + {PRIOR_EXPECTED})
                    AS lift, {_sum("logs")} / nullif(sum(repeats), 0) AS mean_log
            FROM by_item WHERE category_id IS NOT NULL GROUP BY category_id
        ), overall AS (
            SELECT {_sum("logs")} / nullif(sum(repeats), 0) AS mean_log FROM by_item
        )
        SELECT item_id, {now} AS event_timestamp,
            (repeats + {PRIOR_REPEATS}) / (users + {PRIOR_USERS}) AS repeats_per_user,
            (recent_repeats + {PRIOR_RECENT}) / (expected + {PRIOR_EXPECTED}) AS repeat_lift_28d,
            by_category.lift AS category_repeat_lift_28d,
            86400 * (exp(
                (logs + {PRIOR_INTERVALS} * coalesce(by_category.mean_log, overall.mean_log))
                / (repeats + {PRIOR_INTERVALS})
            ) - 1) AS repeat_interval_s,
            basket_share AS order_basket_share_28d
        FROM by_item LEFT JOIN by_category USING (category_id), overall
    """


def _sum(term: str) -> str:
    return f"(sum(CAST(round(({term}) / {_UNIT}) AS BIGINT))::DOUBLE * {_UNIT})"
