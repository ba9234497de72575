"""The view user_history: the items that a user ordered, as aligned arrays, latest first.

Each (user, item, day) with an order opens an interval. Its counts, first order and latest order hold
until the next interval of the same (user, item). A row of the view collects the intervals that are open at its
midnight. Users are processed in shares, to bound memory.

The decayed count at the latest order t is the sum of 2^(-(t - t_i) / half-life) over the orders t_i so far. A list is
summed in its order; an aggregate could add the doubles in another one, with another result.
"""

from __future__ import annotations

from datetime import datetime

from feature_repo.build.log_views import midnights
from feature_repo.schema import HALF_LIVES_DAYS, HISTORY_LIMIT, USER_HISTORY

SHARES = 16


def queries(until: datetime) -> list[str]:
    return [_query(until, share) for share in range(SHARES)]


def _query(until: datetime, share: int) -> str:
    changes = "SELECT user_id, day + INTERVAL 1 DAY AS midnight FROM ordered_days"
    return f"""
        WITH ordered_days AS (
            SELECT user_id, item_id, day, count(*) AS orders,
                min(received_ts) AS first_order, max(received_ts) AS last_order,
                list_sort(list(epoch_us(received_ts))) AS ordered_us,
                max(coalesce(category_id, '')) AS category_id
            FROM events WHERE action = 'order' AND item_id IS NOT NULL AND day < '{until.isoformat()}'
                AND hash(user_id) % {SHARES} = {share}
            GROUP BY user_id, item_id, day
        ), grid AS (
            {midnights(changes, "user_id", until, USER_HISTORY.ttl / 2)}
        ), intervals AS (
            SELECT user_id, item_id, category_id, last_order, day + INTERVAL 1 DAY AS opens,
                coalesce(lead(day) OVER item_so_far + INTERVAL 1 DAY, 'infinity') AS closes,
                sum(orders) OVER item_so_far AS orders, min(first_order) OVER item_so_far AS first_order,
                flatten(list(ordered_us) OVER item_so_far) AS ordered_us
            FROM ordered_days WINDOW item_so_far AS (PARTITION BY user_id, item_id ORDER BY day)
        ), decayed AS (
            SELECT * EXCLUDE (ordered_us), {_decayed()}
            FROM intervals
        )
        SELECT user_id, midnight AS event_timestamp,
            list_transform(latest, lambda x: x.item_id) AS history_items,
            list_transform(latest, lambda x: x.category_id) AS history_categories,
            list_transform(latest, lambda x: x.orders::BIGINT) AS history_counts,
            list_transform(latest, lambda x: x.first_us) AS history_first_us,
            list_transform(latest, lambda x: -x.newest) AS history_last_us,
            {_listed()}
        FROM (
            SELECT g.user_id, midnight, list_sort(list({{
                'newest': -epoch_us(last_order), 'item_id': item_id, 'category_id': category_id,
                'orders': orders, 'first_us': epoch_us(first_order),
                {", ".join(f"'d{days}': d{days}" for days in HALF_LIVES_DAYS)}
            }}))[:{HISTORY_LIMIT}] AS latest
            FROM grid g JOIN decayed i ON i.user_id = g.user_id AND i.opens <= g.midnight AND g.midnight < i.closes
            GROUP BY g.user_id, midnight
        )
    """


def _decayed() -> str:
    """SQL of the columns d14, d60, …: the decayed counts of ``ordered_us``, oldest first, at its last timestamp."""
    return ", ".join(
        f"list_sum(list_transform(ordered_us, lambda t: 2 ** ((t - ordered_us[-1]) / {days * 86_400e6})))::FLOAT "
        f"AS d{days}"
        for days in HALF_LIVES_DAYS
    )


def _listed() -> str:
    """SQL of the view's columns history_decayed_14d, …"""
    return ", ".join(
        f"list_transform(latest, lambda x: x.d{days}) AS history_decayed_{days}d" for days in HALF_LIVES_DAYS
    )
