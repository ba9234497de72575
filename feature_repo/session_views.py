"""What is known of a session."""

from feast import FeatureView

from feature_repo.definitions.data_set import OWNER, data_set
from feature_repo.definitions.extents import RECENT_LIMIT, SESSION_EXPIRY
from feature_repo.definitions.fields import number, texts, timestamp, timestamps
from feature_repo.entities import session

session_state = FeatureView(
    name="session_state",
    entities=[session],
    ttl=SESSION_EXPIRY,
    source=data_set().built("session_state"),
    schema=[
        number("session_views", "views so far", "count"),
        number("session_likes", "likes so far", "count"),
        number("session_carts", "additions to the cart so far", "count"),
        number("session_removes", "removals from the cart so far", "count"),
        number("session_orders", "orders so far", "count"),
        number("session_searches", "searches so far", "count"),
        number("session_items", "distinct items touched so far", "count"),
        number("session_categories", "distinct categories touched so far", "count"),
        number("session_cart_size", "items in the cart", "count"),
        number("session_cart_value", "money in the cart", "money"),
        timestamp("session_first_us", "first event"),
        timestamp("session_last_us", "latest event"),
        texts("cart_items", "items in the cart, latest first"),
        texts("recent_items", f"items of the last {RECENT_LIMIT} item events"),
        texts("recent_actions", "their actions, latest first"),
        timestamps("recent_us", "their times, latest first"),
    ],
    description="What happened in this session so far.",
    tags={"granularity": "1 µs after each accepted event"},
    owner=OWNER,
)
