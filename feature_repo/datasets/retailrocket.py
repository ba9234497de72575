"""RetailRocket: views, carts and purchases of a shop's visitors, and the changes of its items' properties.

Source: a folder with events.csv, item_properties_part1.csv, item_properties_part2.csv and category_tree.csv.

*Events.* A session of a visitor ends after 30 minutes without an event. Its id is the visitor and the time of its
first event, so later events do not change an id. A repeated row counts once. view, addtocart and transaction become
view, add_to_cart and order. A transaction has neither amount nor quantity in the source, so an order is one unit at
the known price.

*Items.* Only the properties ``categoryid``, ``available`` and ``790`` (the price, ``n<number>``) have a known meaning.
There is one row per time at which one of them changed. An item without properties gets a row at its first event.
Events carry the values that were known strictly before them. The source does not state the unit of the price; the log
reads it as hundredths. A price above MAX_PRICE is unknown. Changes after the last event are left out.

*No impressions.* The source does not record which lists were shown, and the log does not invent them, so the table is
empty. Sequence models (``python -m training.gru4rec``) and features need only events. The log's gate and the ranker's
training need slates and refuse this log.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from feature_repo.datasets.declarations.built_in import RETAILROCKET
from feature_repo.datasets.errors import BadSource, DatasetError
from feature_repo.datasets.log_writer import LogWriter
from feature_repo.datasets.strict_csv import BIGINT, SourceColumn, read_csv
from feature_repo.schema import events_table, impressions_table, items_table
from infra.duckdb_connection import connect
from infra.limits import MAX_PRICE
from infra.progress import step
from infra.settings import Settings

SESSION_GAP_MINUTES = 30
MILLISECONDS_FROM, MILLISECONDS_TO = 0, 4_102_444_800_000  # 1970 to 2099
ALIAS = ("itemid", "itemid")  # no other spelling is known
ACTION = """CASE trim(value)
    WHEN 'view' THEN 'view' WHEN 'addtocart' THEN 'add_to_cart' WHEN 'transaction' THEN 'order'
END"""

_TIMESTAMP = SourceColumn("timestamp", BIGINT, "milliseconds since 1970", low=MILLISECONDS_FROM, high=MILLISECONDS_TO)
EVENT_COLUMNS = (
    _TIMESTAMP,
    SourceColumn("visitorid", BIGINT, "a whole number"),
    SourceColumn("event", ACTION, "view, addtocart or transaction"),
    SourceColumn("itemid", BIGINT, "a whole number"),
    SourceColumn("transactionid", BIGINT, "a whole number or empty", nullable=True),
)
PROPERTY_COLUMNS = (
    _TIMESTAMP,
    SourceColumn("itemid", BIGINT, "a whole number"),
    SourceColumn("property", "trim(value)", "the name of a property"),
    SourceColumn("value", "trim(value)", "a text"),
)
TREE_COLUMNS = (
    SourceColumn("categoryid", BIGINT, "a whole number"),
    SourceColumn("parentid", BIGINT, "a whole number or empty", nullable=True),
)
PROPERTY_FILES = ("item_properties_part1.csv", "item_properties_part2.csv")


def write_log(out: Path, *, source: Path | None, size: int | None, settings: Settings) -> None:
    """``size`` is the number of visitors, taken in the order of their hash; default all.

    Raises DatasetError without a ``source``, BadSource for a missing or malformed file.
    """
    if source is None:
        raise DatasetError(
            "retailrocket needs --input: a folder with events.csv, item_properties_part1.csv, "
            "item_properties_part2.csv and category_tree.csv "
            "(python -m feature_repo.datasets.samples.retailrocket makes one)"
        )
    connection = connect(settings)
    with LogWriter(out, RETAILROCKET) as log:
        with step("reading category_tree.csv"):
            read_csv(connection, source / "category_tree.csv", "tree", TREE_COLUMNS, ALIAS)
            _roots(connection, source / "category_tree.csv")
        with step("reading events.csv"):
            read_csv(connection, source / "events.csv", "source_events", EVENT_COLUMNS, ALIAS)
            connection.execute(_sessions(size))
        for number, name in enumerate(PROPERTY_FILES, 1):
            with step(f"reading {name}"):
                _read_properties(connection, source / name, number)
        with step("collecting the changes of the items"):
            connection.execute(_VERSIONS)
        _report(connection)
        with step("writing items"):
            log.write(connection, items_table(RETAILROCKET), _ITEMS)
        with step("writing events"):
            log.write(connection, events_table(RETAILROCKET), _EVENTS)
        log.write(connection, impressions_table(RETAILROCKET), _no_impressions())


def _roots(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Create the table ``roots``: each category with the root of its branch. Raises BadSource."""
    repeated = connection.execute(
        """
        SELECT categoryid, row FROM tree
        QUALIFY row_number() OVER (PARTITION BY categoryid ORDER BY row) = 2 ORDER BY row LIMIT 1
        """
    ).fetchall()
    if repeated:
        raise BadSource(path, f"category {repeated[0][0]} occurs twice", column="categoryid", row=repeated[0][1])
    connection.execute(
        """
        CREATE TEMP TABLE roots AS
        WITH RECURSIVE below AS (
            SELECT categoryid, categoryid AS root FROM tree
            WHERE parentid IS NULL OR parentid NOT IN (SELECT categoryid FROM tree)
            UNION ALL SELECT tree.categoryid, below.root FROM tree JOIN below ON tree.parentid = below.categoryid
        ) SELECT * FROM below
        """
    )
    cycle = connection.execute(
        "SELECT categoryid, row FROM tree ANTI JOIN roots USING (categoryid) ORDER BY row LIMIT 1"
    ).fetchall()
    if cycle:
        raise BadSource(path, f"category {cycle[0][0]} is its own ancestor", column="parentid", row=cycle[0][1])


def _sessions(size: int | None) -> str:
    """SQL that creates the table ``visits``: each event once, with its session and time."""
    return f"""
        CREATE TEMP TABLE visitors AS
        SELECT visitorid FROM source_events GROUP BY visitorid
        ORDER BY md5(visitorid::VARCHAR), visitorid LIMIT {size or 1_000_000_000};
        CREATE TEMP TABLE visits AS
        WITH once AS (
            SELECT DISTINCT timestamp AS ms, visitorid, event, itemid, transactionid
            FROM source_events SEMI JOIN visitors USING (visitorid)
        ), opened AS (
            SELECT *, CASE WHEN ms - lag(ms) OVER by_visitor <= {SESSION_GAP_MINUTES * 60_000} THEN NULL ELSE ms END
                AS opens_at
            FROM once WINDOW by_visitor AS (PARTITION BY visitorid ORDER BY ms)
        )
        SELECT *, make_timestamp(ms * 1000)::TIMESTAMPTZ AS t,
            visitorid || '-' || last_value(opens_at IGNORE NULLS) OVER (
                PARTITION BY visitorid ORDER BY ms RANGE UNBOUNDED PRECEDING
            ) AS session_id
        FROM opened;
    """


def _read_properties(connection: duckdb.DuckDBPyConnection, path: Path, number: int) -> None:
    """Add the properties with a known meaning to the table ``changes``. Raises BadSource."""
    known = "trim(property) IN ('categoryid', 'available', '790')"
    read_csv(connection, path, "properties", PROPERTY_COLUMNS, ALIAS, where=known)
    formats = (
        ("categoryid", "[0-9]+", "a whole number"),
        ("available", "[01]", "0 or 1"),
        ("790", r"n-?[0-9]+(\.[0-9]+)?", "n and a number"),
    )
    for name, pattern, wanted in formats:
        bad = connection.execute(
            f"""
            SELECT row, value FROM properties
            WHERE property = '{name}' AND NOT regexp_full_match(value, '{pattern}') ORDER BY row LIMIT 1
            """
        ).fetchall()
        if bad:
            problem = f"the value {bad[0][1]!r} of property {name} is not allowed; it must be {wanted}"
            raise BadSource(path, problem, column="value", row=bad[0][0])
    if number == 1:
        columns = "part INTEGER, row BIGINT, ms BIGINT, itemid BIGINT, property VARCHAR, value VARCHAR"
        connection.execute(f"CREATE TEMP TABLE changes ({columns})")
    connection.execute(f"INSERT INTO changes SELECT {number}, row, timestamp, itemid, property, value FROM properties")


# The price -1 marks a price out of range; null would mean that the price did not change. If a property has two values
# at the same time, the later row wins.
_VERSIONS = f"""
    CREATE TEMP TABLE versions AS
    WITH at_time AS (
        SELECT itemid, ms,
            arg_max(value, (part, row)) FILTER (property = 'categoryid') AS category,
            arg_max(value, (part, row)) FILTER (property = 'available') AS available,
            arg_max(value, (part, row)) FILTER (property = '790') AS price
        FROM changes WHERE ms <= (SELECT max(ms) FROM visits)
        GROUP BY itemid, ms
    ), in_units AS (
        SELECT itemid, ms, category, available, CASE
            WHEN price IS NULL THEN NULL
            WHEN price[2:]::DOUBLE BETWEEN 0 AND {MAX_PRICE * 100} THEN round(price[2:]::DOUBLE / 100, 2)
            ELSE -1
        END AS price
        FROM at_time
    ), known AS (
        SELECT itemid, ms,
            last_value(category IGNORE NULLS) OVER so_far AS category,
            last_value(available IGNORE NULLS) OVER so_far AS available,
            last_value(price IGNORE NULLS) OVER so_far AS price
        FROM in_units
        WINDOW so_far AS (PARTITION BY itemid ORDER BY ms ROWS UNBOUNDED PRECEDING)
    )
    SELECT itemid, make_timestamp(ms * 1000)::TIMESTAMPTZ AS t, category::BIGINT AS category,
        available::INTEGER AS available, CASE WHEN price >= 0 THEN price::DECIMAL(12,2) END AS price
    FROM known
    WINDOW by_item AS (PARTITION BY itemid ORDER BY ms)
    QUALIFY lag(itemid) OVER by_item IS NULL
        OR (known.category, known.available, known.price)
            IS DISTINCT FROM lag((known.category, known.available, known.price)) OVER by_item;
    INSERT INTO versions
    SELECT itemid, min(t), NULL, NULL, NULL FROM visits ANTI JOIN versions USING (itemid) GROUP BY itemid;
"""


def _report(connection: duckdb.DuckDBPyConnection) -> None:
    rows, events, sessions, late = connection.execute(
        """
        SELECT (SELECT count(*) FROM source_events SEMI JOIN visitors USING (visitorid)), count(*),
            count(DISTINCT session_id), (SELECT count(*) FROM changes WHERE ms > (SELECT max(ms) FROM visits))
        FROM visits
        """
    ).fetchall()[0]
    print(f"  {events} events in {sessions} sessions; {rows - events} repeated rows are left out", file=sys.stderr)
    print(f"  {late} changes of items are left out, because they come after the last event", file=sys.stderr)


_ITEMS = """
    SELECT itemid AS item_id, t AS valid_from_ts, category AS category_id, price, NULL AS old_price, NULL AS brand,
        NULL AS shop_id, available AS is_available, root AS root_category_id
    FROM versions LEFT JOIN roots ON versions.category = roots.categoryid
    ORDER BY valid_from_ts, item_id
"""

_EVENTS = """
    SELECT visitorid || '-' || ms || '-' || v.itemid || '-' || event
            || CASE WHEN transactionid IS NULL THEN '' ELSE '-' || transactionid END AS event_id,
        visitorid AS user_id, session_id, v.itemid AS item_id, v.t AS event_ts, v.t AS received_ts, event AS action,
        CASE WHEN event = 'order' THEN 1 END AS quantity, CASE WHEN event = 'order' THEN price END AS value, price,
        category AS category_id, NULL AS request_id, NULL AS shown_position
    FROM visits v ASOF LEFT JOIN versions ON v.itemid = versions.itemid AND v.t > versions.t
    ORDER BY received_ts, event_id
"""


def _no_impressions() -> str:
    columns = ", ".join(f'NULL AS "{column.name}"' for column in impressions_table(RETAILROCKET).columns)
    return f"SELECT {columns} WHERE false"
