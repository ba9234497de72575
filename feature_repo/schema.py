"""The canonical log: every column of its tables, written once. The features stand in the views beside this module.

Table        one parquet file of the canonical log
Declaration  the columns that one data set adds to the common ones
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

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
    FLOAT64 = "float64"
    BOOL = "bool"
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
    DType.FLOAT64: pa.float64(),
    DType.BOOL: pa.bool_(),
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


def own_item_columns(declaration: Declaration) -> tuple[Column, ...]:
    """What the view item_attributes has beside the common columns."""
    return (*declaration.item_extras, *_stock_unless_declared(declaration))


def as_float32(value: float) -> float:
    """The nearest Float32, which is what the largest price becomes as a feature."""
    return float(pa.scalar(float(value), pa.float32()).as_py())
