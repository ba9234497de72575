"""What is known of an item."""

from feast import FeatureView

from feature_repo.definitions.data_set import MINUTES_TO_PUBLISH, OWNER, data_set
from feature_repo.definitions.extents import COMPANION_LIMIT, DAY, ITEM_REPEATS_EVERY, WINDOWS_DAYS
from feature_repo.definitions.fields import number, numbers, text, texts, timestamp
from feature_repo.entities import item
from feature_repo.schema import as_float32

MAX_PRICE = as_float32(data_set().declaration.max_price)

item_attributes = FeatureView(
    name="item_attributes",
    entities=[item],
    ttl=400 * DAY,
    source=data_set().built("item_attributes"),
    schema=[
        text("category_id", "category"),
        text("brand", "brand"),
        text("shop_id", "shop that sells the item"),
        number("price", "price of one unit", "money", 0, MAX_PRICE),
        number("old_price", "price before a reduction", "money", 0, MAX_PRICE),
        *data_set().item_fields,
    ],
    description="What an item is: category, price, brand, stock, and the data set's own attributes.",
    tags={
        "granularity": "UTC midnight after a change, every 200 days, and 1 µs after each accepted live change",
        "minutes_to_publish": str(MINUTES_TO_PUBLISH),
    },
    owner=OWNER,
)

item_windows = FeatureView(
    name="item_windows",
    entities=[item],
    ttl=30 * DAY,
    source=data_set().built("item_windows"),
    schema=[
        *(number(f"views_{days}d", f"views in the last {days} days", "count") for days in WINDOWS_DAYS),
        *(number(f"carts_{days}d", f"additions to a cart in the last {days} days", "count") for days in WINDOWS_DAYS),
        *(number(f"orders_{days}d", f"orders in the last {days} days", "count") for days in WINDOWS_DAYS),
        *(
            number(f"conversion_{days}d", f"smoothed orders per view in the last {days} days", "ratio")
            for days in WINDOWS_DAYS
        ),
        number("buyers_28d", "distinct (user, day) pairs that ordered in the last 28 days", "count"),
        number("revenue_28d", "money paid in the last 28 days", "money"),
        number("price_vs_history", "price over its own mean since first seen", "ratio"),
        number("price_vs_category", "price over the mean of its category", "ratio"),
        number("category_orders_28d", "orders of the whole category in the last 28 days", "count"),
        timestamp("first_seen_us", "first event or attribute"),
        timestamp("last_order_us", "latest order"),
    ],
    description="Recent activity of an item: counts, conversion, and its price compared with its history and category.",
    tags={
        "granularity": "UTC midnight after a change or when an event leaves a window, and every 15 days",
        "minutes_to_publish": str(MINUTES_TO_PUBLISH),
    },
    owner=OWNER,
)

item_companions = FeatureView(
    name="item_companions",
    entities=[item],
    ttl=42 * DAY,
    source=data_set().built("item_companions"),
    schema=[
        texts("companion_items", "items ordered together, most frequent first"),
        numbers("companion_shares", "share of the item's sessions that hold each companion", "ratio"),
    ],
    description=f"The {COMPANION_LIMIT} items most often ordered together with an item in the 56 days before.",
    tags={
        "granularity": "every 14th UTC midnight since 1970-01-01",
        "minutes_to_publish": str(MINUTES_TO_PUBLISH),
    },
    owner=OWNER,
)

item_repeats = FeatureView(
    name="item_repeats",
    entities=[item],
    ttl=4 * ITEM_REPEATS_EVERY,
    source=data_set().built("item_repeats"),
    schema=[
        number(
            "repeats_per_user", "smoothed repeats (orders by a user who ordered it before) per user so far", "ratio"
        ),
        number("repeat_lift_28d", "smoothed repeats of 28 days over the earlier orders, weighted by age", "ratio"),
        number("category_repeat_lift_28d", "the same of all items of the item's category", "ratio"),
        number("repeat_interval_s", "typical time until a user orders it again: geometric mean, smoothed", "s"),
        number(
            "order_basket_share_28d", "mean share of the item in the baskets of 28 days: 1 / items ordered", "ratio"
        ),
    ],
    description="How an item is ordered again by the users who ordered it.",
    tags={
        "granularity": "every 7th UTC midnight since 1970-01-01, from the item's first order on",
        "minutes_to_publish": str(MINUTES_TO_PUBLISH),
    },
    owner=OWNER,
)
