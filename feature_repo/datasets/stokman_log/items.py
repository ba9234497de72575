"""The products: since when they are known, and since when their price is.

The catalog is one snapshot. A product's price holds from its add_date, not before, because it may have been another
one. Its category and shop are taken as fixed: they are known from its first act, if that is earlier. A product that
the catalog lacks is an item without attributes. What became known after the last act is left out.
"""

from __future__ import annotations

import sys

import duckdb

from infra.limits import MAX_PRICE

# known_from, priced_from: strictly after these times category and shop, or the prices, are known. priced_from is null
# where the catalog lacks the product or has it only after the last act.
_PRODUCTS = f"""
    CREATE TEMP TABLE products AS
    WITH ended AS (SELECT max(t) AS last_act FROM acts),
    touched AS (SELECT item_id, min(t) AS first_act FROM acts WHERE item_id IS NOT NULL GROUP BY item_id),
    priced AS (
        SELECT product_id AS item_id, category_id, shop_id, add_ts,
            CASE WHEN round(price, 2) <= {MAX_PRICE} THEN price::DECIMAL(12,2) END AS price,
            CASE WHEN round(old_price, 2) <= {MAX_PRICE} THEN old_price::DECIMAL(12,2) END AS old_price
        FROM catalog
    )
    SELECT item_id, category_id, shop_id, price, old_price,
        least(first_act, add_ts) AS known_from, CASE WHEN add_ts <= last_act THEN add_ts END AS priced_from
    FROM priced FULL JOIN touched USING (item_id), ended
    WHERE known_from <= last_act
"""

_CATEGORIES = """
    CREATE TEMP TABLE categories AS
    SELECT category_id, min(known_from) AS known_from FROM products WHERE category_id IS NOT NULL GROUP BY category_id
"""

ITEMS = """
    WITH versions AS (
        SELECT *, known_from AS t FROM products WHERE priced_from IS DISTINCT FROM known_from
        UNION ALL SELECT *, priced_from FROM products WHERE priced_from IS NOT NULL
    )
    SELECT item_id, t AS valid_from_ts, category_id,
        CASE WHEN t = priced_from THEN price END AS price, CASE WHEN t = priced_from THEN old_price END AS old_price,
        NULL AS brand, shop_id
    FROM versions ORDER BY valid_from_ts, item_id
"""


def find_products(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``products`` from ``catalog`` and ``acts``, and ``categories``, and print what the log leaves out."""
    connection.execute(_PRODUCTS)
    connection.execute(_CATEGORIES)
    expensive, unlisted, late = connection.execute(
        f"""
        SELECT (SELECT count(*) FROM catalog WHERE round(price, 2) > {MAX_PRICE} OR round(old_price, 2) > {MAX_PRICE}),
            (SELECT count(*) FROM products ANTI JOIN catalog ON products.item_id = catalog.product_id),
            (SELECT count(*) FROM catalog ANTI JOIN products ON products.item_id = catalog.product_id)
        """
    ).fetchall()[0]
    print(f"  {expensive} products have a price above {MAX_PRICE}, which counts as unknown", file=sys.stderr)
    print(f"  {unlisted} products are not in the catalog; {late} were added after the last action", file=sys.stderr)
