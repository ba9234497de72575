"""The constructed slates: which moments get one, and the rows in the log.

The source has no lists that were shown. A slate stands for a shelf «your next purchase», scored at a time t: the time
of the 1st, 2nd, 4th or 8th act of a session, which of them a seeded hash of the session decides. Label 1 = the person
orders the item from t on, within LABEL_HOURS. What this session put into the cart before t leaves the slate and the
labels. The candidates depend only on what lies strictly before t (:mod:`feature_repo.datasets.stokman_log.candidates`),
and ordered items are never added.

Of each UTC day, ``per_day`` sessions get a slate, in the order of a seeded hash, among those with an order to predict.
Which they are is known when the day after is over. So only the days that ended a day before the last act have slates,
and a log that ends later has the same slates on them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import duckdb

from feature_repo.datasets.stokman_log.acts import SESSION_ID
from feature_repo.datasets.stokman_log.source_files import ACTIONS

LABEL_HOURS = 24  # at most a day, or a day's slates would be known later


@dataclass(frozen=True)
class SlateRules:
    """How slates are sampled and filled."""

    seed: int = 20241001
    warm_up_days: int = 14  # the first days get no slates: they are history
    per_day: int = 240
    acts: tuple[int, ...] = (1, 2, 4, 8)  # the number in its session of the act at which a slate is scored
    from_orders: int = 40
    from_touched: int = 40
    categories: int = 3
    from_category: int = 20  # of each category
    from_shop: int = 30
    from_together: int = 20
    touched_days: int = 28
    popular_days: int = 7
    together_days: int = 28
    anchors: int = 10


def sample_slates(connection: duckdb.DuckDBPyConnection, rules: SlateRules) -> None:
    """Create ``orders``, ``slates``, ``wanted`` and ``slate_carts`` from ``sessions``. ``slate`` numbers the slates."""
    number = f"{list(rules.acts)}[1 + ({_hash(rules, 'moment', SESSION_ID)} % {len(rules.acts)})::INTEGER]"
    in_order = f"{_hash(rules, 'day', 'slate_id')}, slate_id"
    connection.execute(
        f"""
        CREATE TEMP TABLE orders AS
        SELECT person, opened_at, t, item_id FROM sessions
        WHERE action = {ACTIONS.index("order")} AND item_id IS NOT NULL;
        CREATE TEMP TABLE buyers AS SELECT DISTINCT person FROM orders;
        SET VARIABLE first_day = (SELECT date_trunc('day', min(t)) FROM sessions);
        SET VARIABLE last_day = (SELECT date_trunc('day', max(t)) - INTERVAL 2 DAY FROM sessions);
        CREATE TEMP TABLE moments AS
        SELECT person, opened_at, t, {SESSION_ID} AS slate_id
        FROM sessions SEMI JOIN buyers USING (person)
        WHERE number <= {max(rules.acts)} AND number = {number}
            AND t >= getvariable('first_day') + INTERVAL {rules.warm_up_days} DAY
            AND t < getvariable('last_day') + INTERVAL 1 DAY;
        CREATE TEMP TABLE moment_carts AS
        SELECT DISTINCT slate_id, item_id
        FROM moments JOIN sessions USING (person, opened_at)
        WHERE sessions.t < moments.t AND action = {ACTIONS.index("add_to_cart")} AND item_id IS NOT NULL;
        CREATE TEMP TABLE moments_wanted AS
        SELECT DISTINCT slate_id, orders.item_id
        FROM moments JOIN orders ON orders.person = moments.person
            AND orders.t >= moments.t AND orders.t < moments.t + INTERVAL {LABEL_HOURS} HOUR
        ANTI JOIN moment_carts ON moment_carts.slate_id = moments.slate_id AND moment_carts.item_id = orders.item_id;
        CREATE TEMP TABLE slates AS
        SELECT row_number() OVER (ORDER BY t, slate_id) AS slate, *, date_trunc('day', t) AS day,
            date_trunc('week', t) AS week
        FROM moments JOIN (SELECT slate_id, count(*) AS relevant_total FROM moments_wanted GROUP BY slate_id)
            USING (slate_id)
        QUALIFY row_number() OVER (PARTITION BY date_trunc('day', t) ORDER BY {in_order}) <= {rules.per_day};
        CREATE TEMP TABLE wanted AS SELECT slate, item_id FROM moments_wanted JOIN slates USING (slate_id);
        CREATE TEMP TABLE slate_carts AS SELECT slate, item_id FROM moment_carts JOIN slates USING (slate_id);
        DROP TABLE moments; DROP TABLE moment_carts; DROP TABLE moments_wanted;
        """
    )


def _hash(rules: SlateRules, purpose: str, text: str) -> str:
    return f"md5_number_lower('{rules.seed}:{purpose}:' || {text})"


def impressions_query(rules: SlateRules) -> str:
    """SQL of the impressions: the distinct candidates without the cart, in a seeded shuffle that ignores the label."""
    return f"""
    WITH listed AS (
        SELECT DISTINCT slate, item_id FROM candidates ANTI JOIN slate_carts USING (slate, item_id)
    ), shuffled AS (
        SELECT slate, slate_id, person, t, item_id, relevant_total, row_number() OVER (
            PARTITION BY slate ORDER BY {_hash(rules, "input", "slate_id || ':' || item_id")}, item_id
        ) - 1 AS input_position
        FROM listed JOIN slates USING (slate)
    )
    SELECT slate_id, person AS user_id, slate_id AS session_id, item_id, t AS shown_ts, input_position,
        NULL AS shown_position, (wanted.item_id IS NOT NULL)::INTEGER AS label, relevant_total
    FROM shuffled LEFT JOIN wanted USING (slate, item_id)
    ORDER BY slate, input_position
    """


def report_coverage(connection: duckdb.DuckDBPyConnection) -> None:
    """Print how many of the wanted items the slates hold, in all and by each source alone."""
    slates, total = connection.execute(
        "SELECT count(*), coalesce(sum(relevant_total), 0)::BIGINT FROM slates"
    ).fetchall()[0]
    found = connection.execute(
        """
        SELECT source, count(DISTINCT (slate, item_id)) FROM wanted JOIN candidates USING (slate, item_id)
        ANTI JOIN slate_carts USING (slate, item_id) GROUP BY ROLLUP (source) ORDER BY grouping(source) DESC, source
        """
    ).fetchall()
    shares = ", ".join(f"{source or 'all'} {count / total:.3f}" for source, count in found if total)
    print(f"  {slates} slates; share of the {total} ordered items that they hold: {shares or 'none'}", file=sys.stderr)
