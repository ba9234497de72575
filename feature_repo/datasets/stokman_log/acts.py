"""Actions -> acts: whose they are, one per product, and cut into sessions.

An *act* is one event of the log. Both tables are parquet files in a working folder, because tens of millions of rows
do not fit into memory.

    acts        person, t, action (code), item_id, place, page, quantity
    sessions    the same without place, with opened_at (time of the session's first act) and number (in it, from 1)

``place`` is the order of the source: the row in the file and the position in its list of products.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from feature_repo.datasets.stokman_log.source_files import ACTIONS, COOKIE_PREFIX

SESSION_GAP_MINUTES = 30
# The actions on products. The others have no item: a clear_cart empties the whole cart, and the products that a page
# lists were not chosen by anyone.
WITH_ITEM = tuple(map(ACTIONS.index, ("view", "like", "add_to_cart", "remove_from_cart", "order", "list_cart")))
WITH_QUANTITY = tuple(map(ACTIONS.index, ("add_to_cart", "remove_from_cart", "order")))
SESSION_ID = "person || '-' || epoch_ms(opened_at)"  # SQL over a row of sessions
PRODUCTS_PER_ACTION = 1 << 16


def write_acts(connection: duckdb.DuckDBPyConnection, folder: Path, size: int | None) -> None:
    """Write the table ``acts`` from ``actions``. ``size``: how many people, in the order of their hash; None is all."""
    connection.execute(_COOKIES)
    _save(connection, folder, "acts", _ACTS)
    if size is not None:
        connection.execute(
            f"""
            CREATE TEMP TABLE people AS
            SELECT person FROM acts GROUP BY person ORDER BY md5(person), person LIMIT {size};
            CREATE OR REPLACE TEMP VIEW acts AS
            SELECT * FROM read_parquet({_quoted(folder, "acts")}) SEMI JOIN people USING (person);
            """
        )


def write_sessions(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Write the table ``sessions`` from ``acts``."""
    _save(connection, folder, "sessions", _SESSIONS)


def _save(connection: duckdb.DuckDBPyConnection, folder: Path, name: str, query: str) -> None:
    path = _quoted(folder, name)
    connection.execute(f"COPY ({query}) TO {path} (FORMAT parquet)")
    connection.execute(f"CREATE TEMP VIEW {name} AS SELECT * FROM read_parquet({path})")


def _quoted(folder: Path, name: str) -> str:
    """SQL of the path of a table."""
    return "'" + str(folder / f"{name}.parquet").replace("'", "''") + "'"


# One row per cookie that was ever seen with a user: the first user, since when, and when a second one was first seen.
_COOKIES = """
    CREATE TEMP TABLE cookies AS
    WITH seen AS (
        SELECT cookie, user_id, min(t) AS first_seen FROM actions
        WHERE cookie IS NOT NULL AND user_id IS NOT NULL GROUP BY cookie, user_id
    )
    SELECT cookie, user_id AS owner, first_seen, lead(first_seen) OVER by_cookie AS second_seen FROM seen
    WINDOW by_cookie AS (PARTITION BY cookie ORDER BY first_seen, user_id)
    QUALIFY row_number() OVER by_cookie = 1
"""


def _codes(codes: tuple[int, ...]) -> str:
    return ", ".join(map(str, codes))


_ACTS = f"""
    WITH owned AS (
        SELECT coalesce(
                actions.user_id,
                CASE WHEN t > first_seen AND (second_seen IS NULL OR t <= second_seen) THEN owner END,
                '{COOKIE_PREFIX}' || cookie
            ) AS person, t, action, page, row, products,
            CASE WHEN action NOT IN ({_codes(WITH_ITEM)}) OR len(products) = 0 THEN [NULL::VARCHAR]
                WHEN len(products) = 1 THEN products
                ELSE list_filter(products, lambda x, i: list_position(products, x) = i)
            END AS items
        FROM actions LEFT JOIN cookies USING (cookie)
    ), exploded AS (
        SELECT person, t, action, page, row, products,
            unnest(items) AS item_id, generate_subscripts(items, 1) AS position
        FROM owned
    )
    SELECT person, t, action::UTINYINT AS action, item_id,
        min(row * {PRODUCTS_PER_ACTION} + position) AS place,
        arg_min(page, row) FILTER (action = {ACTIONS.index("visit_category")}) AS page,
        max(CASE WHEN action NOT IN ({_codes(WITH_QUANTITY)}) OR item_id IS NULL THEN NULL
            WHEN len(products) = 1 THEN 1
            ELSE len(list_filter(products, lambda x: x = item_id))
        END)::INTEGER AS quantity
    FROM exploded GROUP BY person, t, action, item_id
"""

_SESSIONS = f"""
    WITH numbered AS (
        SELECT *, row_number() OVER by_person AS n,
            coalesce(t - lag(t) OVER by_person > INTERVAL {SESSION_GAP_MINUTES} MINUTE, true) AS opens
        FROM acts WINDOW by_person AS (PARTITION BY person ORDER BY t, place)
    )
    SELECT person, t, action, item_id, page, quantity,
        max(CASE WHEN opens THEN t END) OVER so_far AS opened_at,
        (n + 1 - max(CASE WHEN opens THEN n END) OVER so_far)::INTEGER AS number
    FROM numbered WINDOW so_far AS (PARTITION BY person ORDER BY n ROWS UNBOUNDED PRECEDING)
"""
