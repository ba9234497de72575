"""The slates of The Complete Journey: which baskets get one, its candidates, and its rows in the log.

Four sources make candidates: the household, the store, the promotions and the cart. Each uses only what lies strictly
before the slate's time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import duckdb

from feature_repo.datasets.errors import DatasetError

HOUSEHOLDS = 2_469
EVERY = 10_000  # of a rate: each eligible basket has a slate


@dataclass(frozen=True)
class SlateRules:
    """How slates are sampled and filled. Rates are per EVERY eligible baskets."""

    seed: int = 20170101
    first: str = "2017-03-06"  # earlier baskets get no slate: they are history
    dense_from: str = "2017-11-13"  # from here on, in the weeks of the test split, dense_rate applies
    rate: int = 2000  # what it is worth: docs/training-and-promotion.md, the learning curve
    dense_rate: int = 3000
    min_products: int = 4
    window_days: int = 28
    from_household: int = 100
    from_store: int = 50
    from_promotion: int = 30
    from_cart: int = 20

    def for_households(self, households: int) -> SlateRules:
        """The rules for a smaller number of households: more of the test weeks' baskets, at most all."""
        factor = max(1.0, min(EVERY / self.dense_rate, HOUSEHOLDS / households))
        return replace(self, dense_rate=int(self.dense_rate * factor))

    def at_rate(self, rate: int) -> SlateRules:
        """The rules with another rate, and with every basket of the test weeks. Raises DatasetError."""
        if not 1 <= rate <= EVERY:
            raise DatasetError(f"--slate-rate is of {EVERY:,} baskets: from 1 to {EVERY:,}, not {rate}")
        return replace(self, rate=rate, dense_rate=EVERY)


def sample_slates(connection: duckdb.DuckDBPyConnection, rules: SlateRules) -> None:
    """Create the tables ``slates``, ``slate_carts`` and ``candidates`` (still empty) from ``lines`` and ``carts``."""
    connection.execute(
        f"""
        CREATE TABLE slates AS
        SELECT basket_id, any_value(household_id) AS household_id, any_value(store_id) AS store_id,
            any_value(week) AS week, any_value(t) AS t,
            count(*) - coalesce(any_value(in_cart), 0) AS relevant_total
        FROM lines LEFT JOIN (SELECT basket_id, count(*) AS in_cart FROM carts GROUP BY basket_id) USING (basket_id)
        GROUP BY basket_id
        HAVING count(*) >= {rules.min_products} AND relevant_total > 0 AND any_value(t) >= '{rules.first}'
            AND md5_number_lower('{rules.seed}:slate:' || basket_id) % {EVERY}
                < CASE WHEN any_value(t) >= '{rules.dense_from}' THEN {rules.dense_rate} ELSE {rules.rate} END;
        CREATE TABLE slate_carts AS SELECT s.basket_id, s.t, c.product_id FROM slates s JOIN carts c USING (basket_id);
        CREATE TABLE candidates (basket_id BIGINT, product_id BIGINT);
        """
    )


def _household(connection: duckdb.DuckDBPyConnection, rules: SlateRules) -> None:
    connection.execute(
        f"""
        INSERT INTO candidates
        SELECT s.basket_id, l.product_id
        FROM slates s JOIN lines l ON l.household_id = s.household_id AND l.t < s.t
        GROUP BY s.basket_id, l.product_id
        QUALIFY row_number() OVER (
            PARTITION BY s.basket_id
            ORDER BY count(*) FILTER (l.t >= s.t - INTERVAL {rules.window_days} DAY) DESC,
                count(*) DESC, max(l.t) DESC, l.product_id
        ) <= {rules.from_household}
        """
    )


def _store(connection: duckdb.DuckDBPyConnection, rules: SlateRules) -> None:
    connection.execute(
        f"""
        INSERT INTO candidates
        SELECT s.basket_id, l.product_id
        FROM slates s JOIN lines l
            ON l.store_id = s.store_id AND l.t < s.t AND l.t >= s.t - INTERVAL {rules.window_days} DAY
        GROUP BY s.basket_id, l.product_id
        QUALIFY row_number() OVER (PARTITION BY s.basket_id ORDER BY count(*) DESC, max(l.t) DESC, l.product_id)
            <= {rules.from_store}
        """
    )


def _promotion(connection: duckdb.DuckDBPyConnection, rules: SlateRules) -> None:
    """The best-selling promoted products, by the sales of the chain in the four weeks before the promotion's week."""
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
            <= {rules.from_promotion};
        INSERT INTO candidates SELECT basket_id, product_id FROM slates JOIN best_promoted USING (store_id, week);
        """
    )


def _cart(connection: duckdb.DuckDBPyConnection, rules: SlateRules) -> None:
    """By weeks of slates, because a cart meets thousands of earlier baskets, each with all its products."""
    weeks = connection.execute("SELECT DISTINCT date_trunc('week', t) FROM slate_carts ORDER BY ALL").fetchall()
    for (week,) in weeks:
        connection.execute(
            f"""
            INSERT INTO candidates
            WITH recent AS (
                SELECT * FROM lines
                WHERE t >= $week - INTERVAL {rules.window_days} DAY AND t < $week + INTERVAL 7 DAY
            ), cart_baskets AS (
                SELECT c.basket_id AS slate, l.basket_id, count(*) AS weight
                FROM slate_carts c JOIN recent l
                    ON l.product_id = c.product_id AND l.t < c.t AND l.t >= c.t - INTERVAL {rules.window_days} DAY
                WHERE date_trunc('week', c.t) = $week
                GROUP BY slate, l.basket_id
            )
            SELECT slate, l.product_id
            FROM cart_baskets JOIN recent l USING (basket_id)
            GROUP BY slate, l.product_id
            QUALIFY row_number() OVER (PARTITION BY slate ORDER BY sum(weight) DESC, l.product_id) <= {rules.from_cart}
            """,
            {"week": week},
        )


AddCandidates = Callable[[duckdb.DuckDBPyConnection, SlateRules], None]
CANDIDATE_SOURCES: dict[str, AddCandidates] = {
    "household": _household,
    "store": _store,
    "promotion": _promotion,
    "cart": _cart,
}


def impressions_query(rules: SlateRules) -> str:
    """SQL of the impressions: the distinct candidates without the cart, in a seeded shuffle that ignores the label."""
    return f"""
    WITH listed AS (
        SELECT DISTINCT basket_id, product_id FROM candidates
        ANTI JOIN slate_carts USING (basket_id, product_id)
    ), shuffled AS (
        SELECT *, row_number() OVER (
            PARTITION BY basket_id
            ORDER BY md5('{rules.seed}:input:' || basket_id || ':' || product_id)
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
