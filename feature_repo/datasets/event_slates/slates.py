"""The constructed slates: which moments get one, and the rows in the log.

A slate stands for a shelf «your next purchase», scored at a time t: the time of the 1st, 2nd, 4th or 8th act of a
session, which of them a seeded hash of the session decides. Label 1 = the person does a target act on the item from t
on, within ``label_hours``. What this session put into the cart before t leaves the slate and the labels, and with
``only_new`` all that the person had acted on before. The candidates depend only on what lies strictly before t
(:mod:`feature_repo.datasets.event_slates.candidates`), and wanted items are never added.

Of each UTC day, ``per_day`` sessions get a slate, in the order of a seeded hash, among those with something to predict.
Which they are is known when the labels are. So only the days that ended so long before the last act have slates, and a
log that ends later has the same slates on them.
"""

from __future__ import annotations

import duckdb

from feature_repo.datasets.event_slates.rules import SlateRules, listed


def sample_slates(connection: duckdb.DuckDBPyConnection, rules: SlateRules) -> None:
    """Create ``orders`` (target acts), ``slates``, ``wanted`` and ``slate_carts``. ``slate`` numbers the slates."""
    in_order = f"{_hash(rules, 'day', 'slate_id')}, slate_id"
    connection.execute(
        f"""
        CREATE TEMP TABLE orders AS
        SELECT person, opened_at, t, item_id FROM session_acts
        WHERE action IN ({listed(rules.targets)}) AND item_id IS NOT NULL;
        CREATE TEMP TABLE buyers AS SELECT DISTINCT person FROM orders;
        SET VARIABLE first_day = (SELECT date_trunc('day', min(t)) FROM session_acts);
        SET VARIABLE last_day = (
            SELECT date_trunc('day', max(t)) - INTERVAL {1 + rules.label_days} DAY FROM session_acts
        );
        CREATE TEMP TABLE moments AS
        SELECT person, opened_at, t, session_id AS slate_id
        FROM session_acts SEMI JOIN buyers USING (person) {_lengths(rules)}
        WHERE number <= {max(rules.acts)} AND number = {_number(rules)}
            AND t >= getvariable('first_day') + INTERVAL {rules.warm_up_days} DAY
            AND t < getvariable('last_day') + INTERVAL 1 DAY;
        CREATE TEMP TABLE moment_carts AS
        SELECT DISTINCT slate_id, item_id
        FROM moments JOIN session_acts a USING (person, opened_at)
        WHERE a.t < moments.t AND action IN ({listed((rules.cart,))}) AND item_id IS NOT NULL
        {_UNION_KNOWN if rules.only_new else ""};
        CREATE TEMP TABLE moments_wanted AS
        SELECT DISTINCT slate_id, orders.item_id
        FROM moments JOIN orders ON orders.person = moments.person
            AND orders.t >= moments.t AND orders.t < moments.t + INTERVAL {rules.label_hours} HOUR
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


_UNION_KNOWN = """
    UNION SELECT slate_id, item_id
    FROM moments JOIN session_acts a USING (person) WHERE a.t < moments.t AND item_id IS NOT NULL
"""


def repeated_targets(connection: duckdb.DuckDBPyConnection, rules: SlateRules) -> tuple[int, int]:
    """How many target acts there are, and how many of them on an item on which the person had acted before."""
    targets, repeated = connection.execute(
        f"""
        SELECT count(*), count(*) FILTER (first_t < t) FROM (
            SELECT action, t, min(t) OVER (PARTITION BY person, item_id) AS first_t
            FROM session_acts WHERE item_id IS NOT NULL
        ) WHERE action IN ({listed(rules.targets)})
        """
    ).fetchall()[0]
    return int(targets), int(repeated)


def _number(rules: SlateRules) -> str:
    """SQL of the number of the act at which a session's slate is scored."""
    hashed = _hash(rules, "moment", "session_id")
    acts = list(rules.acts)
    if not rules.every_session:
        return f"{acts}[1 + ({hashed} % {len(acts)})::INTEGER]"
    possible = f"list_filter({acts}, lambda x: x <= session_length)"
    return f"{possible}[1 + ({hashed} % len({possible})::UBIGINT)::INTEGER]"


def _lengths(rules: SlateRules) -> str:
    if not rules.every_session:
        return ""
    lengths = "SELECT person, opened_at, max(number) AS session_length FROM session_acts GROUP BY person, opened_at"
    return f"JOIN ({lengths}) USING (person, opened_at)"


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
