"""The view item_companions: items ordered in the same session, counted over 56 days, every 14 days.

An item that has no companions any more gets one row with empty lists, so that its old lists do not stay valid.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from feature_repo.build.feature_writer import write_view
from feature_repo.build.log_views import snapshots
from feature_repo.definitions.extents import COMPANION_LIMIT
from feature_repo.definitions.views import ITEM_COMPANIONS

EVERY = timedelta(days=14)
WINDOW = timedelta(days=56)
MIN_SESSIONS = 5
MIN_PAIRS = 2


def write(connection: duckdb.DuckDBPyConnection, first: datetime, until: datetime, folder: Path) -> None:
    """``first`` is the time of the log's first event. Each snapshot is counted separately, to bound memory."""
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE companions (
            item_id VARCHAR, midnight TIMESTAMPTZ, companion_items VARCHAR[], companion_shares DOUBLE[]
        );
        CREATE OR REPLACE TEMP TABLE item_numbers AS
        SELECT item_id, row_number() OVER (ORDER BY item_id) AS item
        FROM (SELECT DISTINCT item_id FROM events WHERE action = 'order' AND item_id IS NOT NULL);
        CREATE OR REPLACE TEMP TABLE session_items AS
        SELECT hash(session_id) AS session, item, min(received_ts) AS received_ts
        FROM events JOIN item_numbers USING (item_id) WHERE action = 'order'
        GROUP BY session_id, item;
        """
    )
    for midnight in snapshots(EVERY, first, until):
        connection.execute(_snapshot(midnight))
    write_view(
        connection,
        ITEM_COMPANIONS,
        [
            """
        SELECT item_id, midnight AS event_timestamp, companion_items, companion_shares FROM companions
        UNION ALL
        SELECT item_id, following, [], [] FROM (
            SELECT item_id, midnight, lead(midnight) OVER (PARTITION BY item_id ORDER BY midnight) AS next_row,
                (SELECT min(midnight) FROM companions later WHERE later.midnight > companions.midnight) AS following
            FROM companions
        ) WHERE following IS NOT NULL AND next_row IS DISTINCT FROM following
        """
        ],
        folder,
    )


def _snapshot(midnight: datetime) -> str:
    return f"""
        INSERT INTO companions
        WITH recent AS (
            SELECT session, item FROM session_items
            WHERE received_ts < '{midnight.isoformat()}' AND received_ts >= '{(midnight - WINDOW).isoformat()}'
        ), sold AS (
            SELECT item, count(*) AS sessions FROM recent GROUP BY item HAVING count(*) >= {MIN_SESSIONS}
        ), counted AS (
            SELECT session, item FROM recent SEMI JOIN sold USING (item)
        ), pairs AS (
            SELECT a.item, b.item AS companion, count(*) AS together
            FROM counted a JOIN counted b ON a.session = b.session AND a.item <> b.item
            GROUP BY a.item, b.item HAVING count(*) >= {MIN_PAIRS}
        ), ranked AS (
            SELECT item, companion, together FROM pairs
            QUALIFY row_number() OVER (PARTITION BY item ORDER BY together DESC, companion) <= {COMPANION_LIMIT}
        )
        SELECT n.item_id, TIMESTAMPTZ '{midnight.isoformat()}',
            list(c.item_id ORDER BY together DESC, companion),
            list(together::DOUBLE / sessions ORDER BY together DESC, companion)
        FROM ranked JOIN sold USING (item)
            JOIN item_numbers n ON n.item = ranked.item JOIN item_numbers c ON c.item = ranked.companion
        GROUP BY n.item_id
    """
