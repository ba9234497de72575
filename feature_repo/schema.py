"""The data contract: every column of the log and of the feature views, written once.

Feast fields, Great Expectations suites, the model's feature list and the tests derive from here.

    Table        one parquet file of the canonical log
    View         one feature view: a parquet file with its entity, time to live and granularity
    Declaration  the columns that one data set adds to the common ones
    Feature      one model input, always Float32: from a view, derived, or sent by the caller
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from functools import cached_property

import pyarrow as pa

from infra.limits import MAX_LABEL, MAX_POSITION, MAX_PRICE, MAX_QUANTITY

MONEY = pa.decimal128(12, 2)
TIMESTAMP = pa.timestamp("us", tz="UTC")

ACTIONS = (
    "impression",
    "view",
    "like",
    "add_to_cart",
    "remove_from_cart",
    "clear_cart",
    "order",
    "list_cart",
    "visit",
    "visit_category",
    "search",
)


class DType(Enum):
    """Column types. ``arrow`` is the Arrow type."""

    STRING = "string"
    TIMESTAMP = "timestamp"
    MONEY = "money"
    FLOAT32 = "float32"
    INT32 = "int32"
    INT64 = "int64"
    STRING_LIST = "string_list"
    INT64_LIST = "int64_list"
    FLOAT32_LIST = "float32_list"

    @property
    def arrow(self) -> pa.DataType:
        return _ARROW[self]


LISTS = (DType.STRING_LIST, DType.INT64_LIST, DType.FLOAT32_LIST)


_ARROW = {
    DType.STRING: pa.string(),
    DType.TIMESTAMP: TIMESTAMP,
    DType.MONEY: MONEY,
    DType.FLOAT32: pa.float32(),
    DType.INT32: pa.int32(),
    DType.INT64: pa.int64(),
    DType.STRING_LIST: pa.list_(pa.string()),
    DType.INT64_LIST: pa.list_(pa.int64()),
    DType.FLOAT32_LIST: pa.list_(pa.float32()),
}


@dataclass(frozen=True)
class Column:
    """One column. ``minimum`` and ``maximum`` are inclusive; ``allowed`` is the full set of values.

    Strings and timestamps also have the limits of :mod:`infra.limits`. All are checked as
    :mod:`feature_repo.datasets.column_checks` says.
    """

    name: str
    dtype: DType
    description: str
    unit: str = ""
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Table:
    """A table of the canonical log. ``key`` identifies a row."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def arrow(self) -> pa.Schema:
        return arrow_schema(self.columns)

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


@dataclass(frozen=True)
class View:
    """A feature view.

    Float32 columns are model features as they are. The other columns are inputs of derived features.
    ``granularity`` says when rows appear. ``created_timestamp`` is ``event_timestamp`` plus ``publish_delay``.
    """

    name: str
    entity: str
    description: str
    ttl: timedelta
    granularity: str
    publish_delay: timedelta
    columns: tuple[Column, ...]

    @property
    def join_key(self) -> str:
        return f"{self.entity}_id"

    @cached_property
    def ttl_us(self) -> int:
        return self.ttl // timedelta(microseconds=1)

    @cached_property
    def aligned_lists(self) -> list[list[str]]:
        """Names of the lists that are aligned element by element: ``history_items``, ``history_counts``, …"""
        found: dict[str, list[str]] = {}
        for column in self.columns:
            if column.dtype in LISTS:
                found.setdefault(column.name.split("_")[0], []).append(column.name)
        return list(found.values())

    @property
    def arrow(self) -> pa.Schema:
        return arrow_schema(
            (
                Column(self.join_key, DType.STRING, f"{self.entity} id"),
                Column("event_timestamp", DType.TIMESTAMP, "time from which the row was known"),
                Column("created_timestamp", DType.TIMESTAMP, "time when the row was published"),
                *self.columns,
            )
        )


@dataclass(frozen=True)
class Declaration:
    """The columns that a data set adds to the common ones, the time zone of its days, and its currency.

    item_extras: columns of the items table and of the item_attributes view
    facts:       Float32 columns of the impressions, known when the slate was made; a /score request sends them
    context:     string columns of the impressions with one value per slate; a /score request sends them as ``context``
    max_price:   bound of a price and of the money paid in one event; up to MAX_MONEY, for currencies of large numbers
    currency:    of all money, for people
    """

    name: str
    title: str
    timezone: str = "UTC"
    item_extras: tuple[Column, ...] = ()
    facts: tuple[Column, ...] = ()
    context: tuple[Column, ...] = ()
    price_required: bool = True
    max_price: float = MAX_PRICE
    currency: str = ""

    def __hash__(self) -> int:
        """The name alone identifies a declaration. Every request looks up caches by it, so this must be cheap."""
        return hash(self.name)


@dataclass(frozen=True)
class Feature:
    """One model input. ``source`` is a view's name, ``derived``, ``request`` or ``candidates``."""

    name: str
    source: str
    description: str
    unit: str = ""
    dtype: str = "float32"


def arrow_schema(columns: tuple[Column, ...]) -> pa.Schema:
    return pa.schema([pa.field(c.name, c.dtype.arrow, nullable=c.nullable) for c in columns])


# ------------------------------------------------------------------------------------------- log


def items_table(declaration: Declaration) -> Table:
    """One row per item and time at which one of its attributes changed."""
    return Table(
        "items",
        ("item_id", "valid_from_ts"),
        (
            Column("item_id", DType.STRING, "item"),
            Column("valid_from_ts", DType.TIMESTAMP, "time from which these attributes hold"),
            Column("category_id", DType.STRING, "category", nullable=True),
            Column("price", DType.MONEY, "price of one unit", "money", True, 0, declaration.max_price),
            Column("old_price", DType.MONEY, "price before a reduction", "money", True, 0, declaration.max_price),
            Column("brand", DType.STRING, "brand", nullable=True),
            Column("shop_id", DType.STRING, "shop that sells the item", nullable=True),
            *declaration.item_extras,
        ),
    )


IN_STOCK = Column("in_stock", DType.INT64, "1 if it can be sold, 0 if not, null where unknown", "flag", True, 0, 1)


def item_values(declaration: Declaration) -> tuple[Column, ...]:
    """What ``POST /items`` may set: all columns of the items table but its key, and ``in_stock``.

    A log has stock only where its data set declares the extra ``in_stock``.
    """
    columns = items_table(declaration).columns[2:]
    return (*columns, *_stock_unless_declared(declaration))


def item_changes_table(declaration: Declaration) -> Table:
    """The accepted changes of ``POST /items``: one row per change, with all attributes of the item after it.

    ``changed`` names the columns that the change set. The others are as they were served
    (:mod:`feature_repo.live.items`).
    """
    return Table(
        "item_changes",
        ("change_id",),
        (
            Column("change_id", DType.STRING, "change"),
            Column("item_id", DType.STRING, "item"),
            Column("received_ts", DType.TIMESTAMP, "time when it was accepted"),
            Column("changed", DType.STRING_LIST, "names of the attributes that it set"),
            *item_values(declaration),
        ),
    )


def _stock_unless_declared(declaration: Declaration) -> tuple[Column, ...]:
    return () if any(column.name == IN_STOCK.name for column in declaration.item_extras) else (IN_STOCK,)


def events_table(declaration: Declaration) -> Table:
    """What users did: one row per action."""
    return Table(
        "events",
        ("event_id",),
        (
            Column("event_id", DType.STRING, "event"),
            Column("user_id", DType.STRING, "user"),
            Column("session_id", DType.STRING, "session"),
            Column("item_id", DType.STRING, "item, null for an action without an item", nullable=True),
            Column("event_ts", DType.TIMESTAMP, "time when it happened"),
            Column("received_ts", DType.TIMESTAMP, "time when it was accepted"),
            Column("action", DType.STRING, "what was done", allowed=ACTIONS),
            Column("quantity", DType.INT32, "units", "units", True, 1, MAX_QUANTITY),
            Column("value", DType.MONEY, "money paid", "money", True, 0, declaration.max_price),
            Column(
                "price",
                DType.MONEY,
                "price of one unit as known at acceptance",
                "money",
                True,
                0,
                declaration.max_price,
            ),
            Column("category_id", DType.STRING, "category as known at acceptance", nullable=True),
            Column("request_id", DType.STRING, "the /score answer that the event follows", nullable=True),
            Column("shown_position", DType.INT32, "position on the screen, from 0", "rank", True, 0, MAX_POSITION),
        ),
    )


def impressions_table(declaration: Declaration) -> Table:
    """The slates: one row per candidate, one query group per slate_id."""
    return Table(
        "impressions",
        ("slate_id", "item_id"),
        (
            Column("slate_id", DType.STRING, "slate (query group)"),
            Column("user_id", DType.STRING, "user"),
            Column("session_id", DType.STRING, "session"),
            Column("item_id", DType.STRING, "candidate"),
            Column("shown_ts", DType.TIMESTAMP, "time when the slate was scored"),
            Column(
                "input_position", DType.INT32, "position in the caller's order, from 0", "rank", False, 0, MAX_POSITION
            ),
            Column("shown_position", DType.INT32, "position on the screen, from 0", "rank", True, 0, MAX_POSITION),
            Column("label", DType.INT32, "graded gain of what the user did", "gain", False, 0, MAX_LABEL),
            Column("relevant_total", DType.INT32, "items the user wanted, in the slate or not", "items", False, 0),
            *declaration.facts,
            *declaration.context,
        ),
    )


# Optional: what a source brings for similarity, e.g. embeddings of titles. One row per item that has a vector, at most
# one per item of the items table; all vectors of a log have one length.
ITEM_VECTORS = Table(
    "item_vectors",
    ("item_id",),
    (
        Column("item_id", DType.STRING, "item"),
        Column("vector", DType.FLOAT32_LIST, "the item's vector; the same length for all items"),
    ),
)


def log_tables(declaration: Declaration) -> tuple[Table, Table, Table]:
    """The tables that every log has: items, events, impressions."""
    return items_table(declaration), events_table(declaration), impressions_table(declaration)


# ----------------------------------------------------------------------------------------- views

DAY = timedelta(days=1)
SESSION_EXPIRY = timedelta(hours=1)
WINDOWS_DAYS = (1, 7, 28)
HISTORY_LIMIT = 500
RECENT_LIMIT = 50
COMPANION_LIMIT = 30
HALF_LIVES_DAYS = (14, 60, 180)  # of an order's weight in history_decayed_*
BASKET_DECAY = 0.97  # of an order's weight per later basket, in history_basket_decayed

_TIME_UNIT = "us since epoch"


def _f(name: str, description: str, unit: str, low: float | None = 0, high: float | None = None) -> Column:
    return Column(name, DType.FLOAT32, description, unit, True, low, high)


def _as_float32(value: float) -> float:
    """The nearest Float32, which is what the largest price becomes as a feature."""
    return float(pa.scalar(float(value), pa.float32()).as_py())


def _windowed(stem: str, what: str) -> tuple[Column, ...]:
    return tuple(_f(f"{stem}_{days}d", f"{what} in the last {days} days", "count") for days in WINDOWS_DAYS)


ITEM_ATTRIBUTES = "item_attributes"


def item_attributes_view(declaration: Declaration) -> View:
    return View(
        ITEM_ATTRIBUTES,
        "item",
        "What an item is: category, price, brand, stock, and the data set's own attributes.",
        ttl=400 * DAY,
        granularity="UTC midnight after a change, every 200 days, and 1 µs after each accepted live change",
        publish_delay=timedelta(minutes=30),
        columns=(
            Column("category_id", DType.STRING, "category", nullable=True),
            Column("brand", DType.STRING, "brand", nullable=True),
            Column("shop_id", DType.STRING, "shop that sells the item", nullable=True),
            _f("price", "price of one unit", "money", 0, _as_float32(declaration.max_price)),
            _f("old_price", "price before a reduction", "money", 0, _as_float32(declaration.max_price)),
            *declaration.item_extras,
            *_stock_unless_declared(declaration),
        ),
    )


ITEM_WINDOWS = View(
    "item_windows",
    "item",
    "Recent activity of an item: counts, conversion, and its price compared with its history and category.",
    ttl=30 * DAY,
    granularity="UTC midnight after a change or when an event leaves a window, and every 15 days",
    publish_delay=timedelta(minutes=30),
    columns=(
        *_windowed("views", "views"),
        *_windowed("carts", "additions to a cart"),
        *_windowed("orders", "orders"),
        *(
            _f(f"conversion_{days}d", f"smoothed orders per view in the last {days} days", "ratio")
            for days in WINDOWS_DAYS
        ),
        _f("buyers_28d", "distinct (user, day) pairs that ordered in the last 28 days", "count"),
        _f("revenue_28d", "money paid in the last 28 days", "money"),
        _f("price_vs_history", "price over its own mean since first seen", "ratio"),
        _f("price_vs_category", "price over the mean of its category", "ratio"),
        _f("category_orders_28d", "orders of the whole category in the last 28 days", "count"),
        Column("first_seen_us", DType.INT64, "first event or attribute", _TIME_UNIT, True, 0),
        Column("last_order_us", DType.INT64, "latest order", _TIME_UNIT, True, 0),
    ),
)

ITEM_COMPANIONS = View(
    "item_companions",
    "item",
    f"The {COMPANION_LIMIT} items most often ordered together with an item in the 56 days before.",
    ttl=42 * DAY,
    granularity="every 14th UTC midnight since 1970-01-01",
    publish_delay=timedelta(minutes=30),
    columns=(
        Column("companion_items", DType.STRING_LIST, "items ordered together, most frequent first", nullable=True),
        Column(
            "companion_shares",
            DType.FLOAT32_LIST,
            "share of the item's sessions that hold each companion",
            "ratio",
            True,
        ),
    ),
)

ITEM_REPEATS_EVERY = 7 * DAY
ITEM_REPEATS = View(
    "item_repeats",
    "item",
    "How an item is ordered again by the users who ordered it.",
    ttl=4 * ITEM_REPEATS_EVERY,
    granularity="every 7th UTC midnight since 1970-01-01, from the item's first order on",
    publish_delay=timedelta(minutes=30),
    columns=(
        _f("repeats_per_user", "smoothed repeats (orders by a user who ordered it before) per user so far", "ratio"),
        _f("repeat_lift_28d", "smoothed repeats of 28 days over the earlier orders, weighted by age", "ratio"),
        _f("category_repeat_lift_28d", "the same of all items of the item's category", "ratio"),
        _f("repeat_interval_s", "typical time until a user orders it again: geometric mean, smoothed", "s"),
        _f("order_basket_share_28d", "mean share of the item in the baskets of 28 days: 1 / items ordered", "ratio"),
    ),
)

USER_WINDOWS = View(
    "user_windows",
    "user",
    "How often a user orders, when last, and for how much money.",
    ttl=60 * DAY,
    granularity="UTC midnight after a change or when an event leaves a window, and every 30 days",
    publish_delay=timedelta(minutes=30),
    columns=(
        _f("user_orders_7d", "sessions with an order in the last 7 days", "count"),
        _f("user_orders_28d", "sessions with an order in the last 28 days", "count"),
        _f("user_orders_all", "sessions with an order so far", "count"),
        _f("user_items_28d", "items ordered in the last 28 days", "count"),
        _f("user_spend_28d", "money paid in the last 28 days", "money"),
        _f("user_mean_basket", "money paid per session with an order so far", "money"),
        _f("user_mean_price", "money paid per item ordered so far", "money"),
        _f("user_is_new", "1 before the first order, else 0", "flag", 0, 1),
        Column("user_first_seen_us", DType.INT64, "first event", _TIME_UNIT, True, 0),
        Column("user_last_order_us", DType.INT64, "latest order", _TIME_UNIT, True, 0),
    ),
)

USER_HISTORY = View(
    "user_history",
    "user",
    f"The {HISTORY_LIMIT} items a user ordered most recently, as aligned arrays, latest first.",
    ttl=90 * DAY,
    granularity="UTC midnight after an order, and every 45 days",
    publish_delay=timedelta(minutes=30),
    columns=(
        Column("history_items", DType.STRING_LIST, "items", nullable=True),
        Column("history_categories", DType.STRING_LIST, "their categories, '' where unknown", nullable=True),
        Column("history_counts", DType.INT64_LIST, "number of orders of each item", "count", True),
        Column("history_first_us", DType.INT64_LIST, "first order of each", _TIME_UNIT, True),
        Column("history_last_us", DType.INT64_LIST, "latest order of each", _TIME_UNIT, True),
        *(
            Column(
                f"history_decayed_{days}d",
                DType.FLOAT32_LIST,
                f"orders of each, weighted at the latest one with a half-life of {days} days",
                "count",
                True,
            )
            for days in HALF_LIVES_DAYS
        ),
        Column(
            "history_weighted_60d",
            DType.FLOAT32_LIST,
            "as history_decayed_60d, each order weighted by 1 / the fourth root of its basket's size",
            "count",
            True,
        ),
        Column(
            "history_basket_decayed",
            DType.FLOAT32_LIST,
            f"as history_weighted_60d, but {BASKET_DECAY} for each later basket of the user in place of the half-life",
            "count",
            True,
        ),
        Column("history_first_basket", DType.INT64_LIST, "number of the user's basket that first held it", "", True),
        Column("history_last_basket", DType.INT64_LIST, "number of the latest basket that held it", "", True),
        Column(
            "history_gap_sd_s",
            DType.FLOAT32_LIST,
            "standard deviation of the time between the orders of each, 0 where there are fewer than three",
            "s",
            True,
        ),
    ),
)

SESSION_STATE = View(
    "session_state",
    "session",
    "What happened in this session so far.",
    ttl=SESSION_EXPIRY,
    granularity="1 µs after each accepted event",
    publish_delay=timedelta(0),
    columns=(
        _f("session_views", "views so far", "count"),
        _f("session_likes", "likes so far", "count"),
        _f("session_carts", "additions to the cart so far", "count"),
        _f("session_removes", "removals from the cart so far", "count"),
        _f("session_orders", "orders so far", "count"),
        _f("session_searches", "searches so far", "count"),
        _f("session_items", "distinct items touched so far", "count"),
        _f("session_categories", "distinct categories touched so far", "count"),
        _f("session_cart_size", "items in the cart", "count"),
        _f("session_cart_value", "money in the cart", "money"),
        Column("session_first_us", DType.INT64, "first event", _TIME_UNIT, True, 0),
        Column("session_last_us", DType.INT64, "latest event", _TIME_UNIT, True, 0),
        Column("cart_items", DType.STRING_LIST, "items in the cart, latest first", nullable=True),
        Column("recent_items", DType.STRING_LIST, f"items of the last {RECENT_LIMIT} item events", nullable=True),
        Column("recent_actions", DType.STRING_LIST, "their actions, latest first", nullable=True),
        Column("recent_us", DType.INT64_LIST, "their times, latest first", _TIME_UNIT, True),
    ),
)

ENTITIES = ("item", "user", "session")
FEATURE_SERVICE = "ranker_v1"


def views(declaration: Declaration) -> tuple[View, ...]:
    """All feature views, in the order of the model's features."""
    return (
        item_attributes_view(declaration),
        ITEM_WINDOWS,
        ITEM_COMPANIONS,
        ITEM_REPEATS,
        USER_WINDOWS,
        USER_HISTORY,
        SESSION_STATE,
    )
