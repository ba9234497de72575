"""The view user_history: the items that a user ordered, as aligned arrays, latest first.

Each (user, item, day) with an order opens an interval. Its counts, first order and latest order hold
until the next interval of the same (user, item). A row of the view collects the intervals that are open at its
midnight. Users are processed in shares, to bound memory.

A basket is what a user orders in one session and day, as user_windows counts them; baskets are numbered by time.

Sums over the orders so far, such as the decayed count at the latest order t, the sum of 2^(-(t - t_i) / half-life), are
summed over a list in its order; an aggregate could add the doubles in another order, with another result.
"""

from __future__ import annotations

from datetime import datetime

from feature_repo.build.log_views import midnights
from feature_repo.schema import BASKET_DECAY, HALF_LIVES_DAYS, HISTORY_LIMIT, USER_HISTORY

SHARES = 16


def _decay(days: int) -> str:
    return f"2 ** ((o.t - latest) / {days * 86_400e6})"


def _sum(weight: str) -> str:
    """SQL of the sum of a weight over the orders of an item so far: of ``o``, with its basket's number and weight."""
    return f"list_sum(list_transform(made, lambda o: {weight}))::FLOAT"


# Column of the view without its prefix -> SQL over ``made``, the orders of an item so far, oldest first.
SUMS = {
    **{f"decayed_{days}d": _sum(_decay(days)) for days in HALF_LIVES_DAYS},
    "weighted_60d": _sum(f"o.weight * {_decay(60)}"),
    "basket_decayed": _sum(f"{BASKET_DECAY} ** (last_basket - o.basket)"),
    "first_basket": "list_min(list_transform(made, lambda o: o.basket))::BIGINT",
    "gap_sd_s": """
        CASE WHEN len(made) < 3 THEN 0 ELSE sqrt(greatest(0,
            list_sum(list_transform(range(2, len(made) + 1), lambda i: ((made[i].t - made[i - 1].t) / 1e6) ** 2))
                / (len(made) - 1)
            - ((latest - made[1].t) / 1e6 / (len(made) - 1)) ** 2
        )) END::FLOAT
    """,
}
LISTED = (*(f"decayed_{days}d" for days in HALF_LIVES_DAYS), "weighted_60d", "basket_decayed", "first_basket",
          "last_basket", "gap_sd_s")  # fmt: skip


def queries(until: datetime) -> list[str]:
    return [_query(until, share) for share in range(SHARES)]


def _query(until: datetime, share: int) -> str:
    changes = "SELECT user_id, day + INTERVAL 1 DAY AS midnight FROM ordered_days"
    return f"""
        WITH orders AS (
            SELECT * FROM events
            WHERE action = 'order' AND day < '{until.isoformat()}' AND hash(user_id) % {SHARES} = {share}
        ), baskets AS (
            SELECT user_id, session_id, day, count(item_id) AS size,
                row_number() OVER (PARTITION BY user_id ORDER BY min(received_ts), session_id, day) AS number
            FROM orders GROUP BY user_id, session_id, day
        ), ordered_days AS (
            SELECT user_id, item_id, day, count(*) AS orders,
                min(received_ts) AS first_order, max(received_ts) AS last_order,
                list_sort(list({{'t': epoch_us(received_ts), 'basket': number, 'weight': size ** -0.25}})) AS made,
                max(coalesce(category_id, '')) AS category_id
            FROM orders JOIN baskets USING (user_id, session_id, day)
            WHERE item_id IS NOT NULL
            GROUP BY user_id, item_id, day
        ), grid AS (
            {midnights(changes, "user_id", until, USER_HISTORY.ttl / 2)}
        ), intervals AS (
            SELECT user_id, item_id, category_id, last_order, day + INTERVAL 1 DAY AS opens,
                coalesce(lead(day) OVER item_so_far + INTERVAL 1 DAY, 'infinity') AS closes,
                sum(orders) OVER item_so_far AS orders, min(first_order) OVER item_so_far AS first_order,
                flatten(list(made) OVER item_so_far) AS made
            FROM ordered_days WINDOW item_so_far AS (PARTITION BY user_id, item_id ORDER BY day)
        ), summed AS (
            SELECT * EXCLUDE (made), {", ".join(f"{sql} AS {name}" for name, sql in SUMS.items())}
            FROM (SELECT *, made[-1].t AS latest, list_max(list_transform(made, lambda o: o.basket)) AS last_basket
                FROM intervals)
        )
        SELECT user_id, midnight AS event_timestamp,
            list_transform(latest, lambda x: x.item_id) AS history_items,
            list_transform(latest, lambda x: x.category_id) AS history_categories,
            list_transform(latest, lambda x: x.orders::BIGINT) AS history_counts,
            list_transform(latest, lambda x: x.first_us) AS history_first_us,
            list_transform(latest, lambda x: -x.newest) AS history_last_us,
            {", ".join(f"list_transform(latest, lambda x: x.{name}) AS history_{name}" for name in LISTED)}
        FROM (
            SELECT g.user_id, midnight, list_sort(list({{
                'newest': -epoch_us(last_order), 'item_id': item_id, 'category_id': category_id,
                'orders': orders, 'first_us': epoch_us(first_order), {", ".join(f"'{name}': {name}" for name in LISTED)}
            }}))[:{HISTORY_LIMIT}] AS latest
            FROM grid g JOIN summed i ON i.user_id = g.user_id AND i.opens <= g.midnight AND g.midnight < i.closes
            GROUP BY g.user_id, midnight
        )
    """
