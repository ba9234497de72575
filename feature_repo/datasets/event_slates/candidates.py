"""The candidates of the slates. Each source uses only what lies strictly before the slate's time.

    orders     what the person ordered, most often first
    touched    what the person viewed, liked or added in the last days, latest first
    category   the best-selling items of the categories that the person touched most
    shop       the best-selling items of the shop of the item that the person touched last; without one, of the largest
    together   what was ordered most often in the sessions that ordered what the person touched last
    popular    the best-selling items, for slates that the other sources leave short: of the last days, else of all days

Ordered means: a target act was done on it. Sales are counted up to the midnight before the slate, and items ordered
together up to the Monday before.
"""

from __future__ import annotations

from collections.abc import Callable

import duckdb

from feature_repo.datasets.event_slates.rules import SlateRules, listed

DEEPER = 5  # times as many popular items are looked at where those that the person knows are left out


def open_candidates(connection: duckdb.DuckDBPyConnection, rules: SlateRules) -> None:
    """Create ``candidates`` (empty), ``touched`` (per slate and item) and ``sold`` (per slate day and item)."""
    connection.execute(
        f"""
        CREATE TEMP TABLE candidates (slate BIGINT, item_id VARCHAR, source VARCHAR);
        CREATE TEMP TABLE touched AS
        SELECT slate, s.item_id, any_value(p.category_id) AS category_id, any_value(p.shop_id) AS shop_id,
            max(s.t) AS last, count(*) AS touches
        FROM slates JOIN session_acts s ON s.person = slates.person AND s.t < slates.t
                AND s.t >= slates.t - INTERVAL {rules.touched_days} DAY
            JOIN products p USING (item_id)
        WHERE s.action IN ({listed(rules.touches)})
        GROUP BY slate, s.item_id;
        CREATE TEMP TABLE sold AS
        SELECT d.day, item_id, any_value(category_id) AS category_id, coalesce(any_value(shop_id), '') AS shop_id,
            count(*) AS orders
        FROM (SELECT DISTINCT day FROM slates) d
            JOIN orders ON t < d.day AND t >= d.day - INTERVAL {rules.popular_days} DAY JOIN products USING (item_id)
        GROUP BY d.day, item_id;
        """
    )


def _orders(connection: duckdb.DuckDBPyConnection, rules: SlateRules) -> None:
    connection.execute(
        f"""
        INSERT INTO candidates
        SELECT slate, item_id, 'orders'
        FROM slates JOIN orders ON orders.person = slates.person AND orders.t < slates.t
        GROUP BY slate, item_id
        QUALIFY row_number() OVER (PARTITION BY slate ORDER BY count(*) DESC, max(orders.t) DESC, item_id)
            <= {rules.from_orders}
        """
    )


def _touched(connection: duckdb.DuckDBPyConnection, rules: SlateRules) -> None:
    connection.execute(
        f"""
        INSERT INTO candidates
        SELECT slate, item_id, 'touched' FROM touched
        QUALIFY row_number() OVER (PARTITION BY slate ORDER BY last DESC, item_id) <= {rules.from_touched}
        """
    )


def _category(connection: duckdb.DuckDBPyConnection, rules: SlateRules) -> None:
    connection.execute(
        f"""
        INSERT INTO candidates
        WITH favourite AS (
            SELECT slate, category_id FROM touched WHERE category_id IS NOT NULL GROUP BY slate, category_id
            QUALIFY row_number() OVER (PARTITION BY slate ORDER BY sum(touches) DESC, max(last) DESC, category_id)
                <= {rules.categories}
        ), best AS (
            SELECT day, category_id, item_id FROM sold WHERE category_id IS NOT NULL
            QUALIFY row_number() OVER (PARTITION BY day, category_id ORDER BY orders DESC, item_id)
                <= {rules.from_category}
        )
        SELECT slate, item_id, 'category'
        FROM favourite JOIN slates USING (slate) JOIN best USING (day, category_id)
        """
    )


def _shop(connection: duckdb.DuckDBPyConnection, rules: SlateRules) -> None:
    connection.execute(
        f"""
        INSERT INTO candidates
        WITH latest AS (
            SELECT slate, coalesce(shop_id, '') AS shop_id FROM touched
            QUALIFY row_number() OVER (PARTITION BY slate ORDER BY last DESC, item_id) = 1
        ), largest AS (
            SELECT day, shop_id FROM sold GROUP BY day, shop_id
            QUALIFY row_number() OVER (PARTITION BY day ORDER BY sum(orders) DESC, shop_id) = 1
        ), best AS (
            SELECT day, shop_id, item_id FROM sold
            QUALIFY row_number() OVER (PARTITION BY day, shop_id ORDER BY orders DESC, item_id) <= {rules.from_shop}
        ), shopping AS (
            SELECT slate, day, coalesce(latest.shop_id, largest.shop_id) AS shop_id
            FROM slates LEFT JOIN latest USING (slate) LEFT JOIN largest USING (day)
        )
        SELECT slate, item_id, 'shop' FROM shopping JOIN best USING (day, shop_id)
        """
    )


def _together(connection: duckdb.DuckDBPyConnection, rules: SlateRules) -> None:
    connection.execute(
        f"""
        CREATE TEMP TABLE anchors AS
        SELECT slate, week, item_id FROM touched JOIN slates USING (slate)
        QUALIFY row_number() OVER (PARTITION BY slate ORDER BY last DESC, item_id) <= {rules.anchors};
        CREATE TEMP TABLE pairs AS
        WITH recent AS (
            SELECT DISTINCT week, person, orders.opened_at, item_id
            FROM (SELECT DISTINCT week FROM slates) JOIN orders
                ON t < week AND t >= week - INTERVAL {rules.together_days} DAY
        )
        SELECT week, a.item_id, b.item_id AS companion, count(*) AS together
        FROM recent a SEMI JOIN (SELECT DISTINCT week, item_id FROM anchors) c USING (week, item_id)
            JOIN recent b USING (week, person, opened_at)
        WHERE a.item_id <> b.item_id
        GROUP BY week, a.item_id, b.item_id;
        INSERT INTO candidates
        SELECT slate, companion, 'together' FROM anchors JOIN pairs USING (week, item_id)
        GROUP BY slate, companion
        QUALIFY row_number() OVER (PARTITION BY slate ORDER BY sum(together) DESC, companion) <= {rules.from_together};
        """
    )


def _popular(connection: duckdb.DuckDBPyConnection, rules: SlateRules) -> None:
    """The second ranking is over all days before, which is much: it is made for the days that need it only."""
    ever = """
        SELECT day, item_id, count(*) AS orders
        FROM (SELECT DISTINCT day FROM short) JOIN orders ON t < day GROUP BY day, item_id
    """
    depth = rules.fill_to * (DEEPER if rules.only_new else 1)
    for ranked in ("SELECT day, item_id, orders FROM sold SEMI JOIN short USING (day)", ever):
        connection.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE short AS
            SELECT slate, day, {rules.fill_to} - coalesce(candidates, 0) AS lacking
            FROM slates LEFT JOIN (
                SELECT slate, count(DISTINCT item_id) AS candidates
                FROM candidates ANTI JOIN slate_carts USING (slate, item_id) GROUP BY slate
            ) USING (slate) WHERE lacking > 0
            """
        )
        if not connection.execute("SELECT 1 FROM short LIMIT 1").fetchall():
            return
        connection.execute(
            f"""
            INSERT INTO candidates
            WITH best AS (
                SELECT day, item_id, row_number() OVER (PARTITION BY day ORDER BY orders DESC, item_id) AS place
                FROM ({ranked}) QUALIFY place <= {depth}
            )
            SELECT slate, item_id, 'popular'
            FROM short JOIN best USING (day) ANTI JOIN candidates USING (slate, item_id)
                ANTI JOIN slate_carts USING (slate, item_id)
            QUALIFY row_number() OVER (PARTITION BY slate ORDER BY place) <= lacking
            """
        )


AddCandidates = Callable[[duckdb.DuckDBPyConnection, SlateRules], None]
CANDIDATE_SOURCES: dict[str, AddCandidates] = {
    "orders": _orders,
    "touched": _touched,
    "category": _category,
    "shop": _shop,
    "together": _together,
    "popular": _popular,
}
