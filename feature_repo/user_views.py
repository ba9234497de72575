"""What is known of a user."""

from feast import FeatureView

from feature_repo.definitions.data_set import MINUTES_TO_PUBLISH, OWNER, data_set
from feature_repo.definitions.extents import BASKET_DECAY, DAY, HALF_LIVES_DAYS, HISTORY_LIMIT
from feature_repo.definitions.fields import flag, integers, number, numbers, texts, timestamp, timestamps
from feature_repo.entities import user

user_windows = FeatureView(
    name="user_windows",
    entities=[user],
    ttl=60 * DAY,
    source=data_set().built("user_windows"),
    schema=[
        number("user_orders_7d", "sessions with an order in the last 7 days", "count"),
        number("user_orders_28d", "sessions with an order in the last 28 days", "count"),
        number("user_orders_all", "sessions with an order so far", "count"),
        number("user_items_28d", "items ordered in the last 28 days", "count"),
        number("user_spend_28d", "money paid in the last 28 days", "money"),
        number("user_mean_basket", "money paid per session with an order so far", "money"),
        number("user_mean_price", "money paid per item ordered so far", "money"),
        flag("user_is_new", "1 before the first order, else 0"),
        timestamp("user_first_seen_us", "first event"),
        timestamp("user_last_order_us", "latest order"),
    ],
    description="How often a user orders, when last, and for how much money.",
    tags={
        "granularity": "UTC midnight after a change or when an event leaves a window, and every 30 days",
        "minutes_to_publish": str(MINUTES_TO_PUBLISH),
    },
    owner=OWNER,
)

# Aligned lists: element i of each is of the same item.
user_history = FeatureView(
    name="user_history",
    entities=[user],
    ttl=90 * DAY,
    source=data_set().built("user_history"),
    schema=[
        texts("history_items", "items"),
        texts("history_categories", "their categories, '' where unknown"),
        integers("history_counts", "number of orders of each item", "count"),
        timestamps("history_first_us", "first order of each"),
        timestamps("history_last_us", "latest order of each"),
        *(
            numbers(
                f"history_decayed_{days}d",
                f"orders of each, weighted at the latest one with a half-life of {days} days",
                "count",
            )
            for days in HALF_LIVES_DAYS
        ),
        numbers(
            "history_weighted_60d",
            "as history_decayed_60d, each order weighted by 1 / the fourth root of its basket's size",
            "count",
        ),
        numbers(
            "history_basket_decayed",
            f"as history_weighted_60d, but {BASKET_DECAY} for each later basket of the user in place of the half-life",
            "count",
        ),
        integers("history_first_basket", "number of the user's basket that first held it"),
        integers("history_last_basket", "number of the latest basket that held it"),
        numbers(
            "history_gap_sd_s",
            "standard deviation of the time between the orders of each, 0 where there are fewer than three",
            "s",
        ),
    ],
    description=f"The {HISTORY_LIMIT} items a user ordered most recently, as aligned arrays, latest first.",
    tags={
        "granularity": "UTC midnight after an order, and every 45 days",
        "minutes_to_publish": str(MINUTES_TO_PUBLISH),
    },
    owner=OWNER,
)
