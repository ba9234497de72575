"""Food-delivery sessions over a static list of venues, from sessions.csv and venues.csv.

The source has neither users nor times. Each session is one user with one slate. Its time is a base time plus the rank
of a seeded hash of the session id, in minutes. So a split by time is a random split by session. The attributes of the
venues hold from the day before, so that the first slate has them too.

*What the log holds.* Session ids are in lower case. Rows that differ only in their row number count once. A venue
listed twice has its lowest position, and it is purchased if any of its rows is. The longest sessions hold several
lists, so a position may occur more than once: ``shown_position`` is position_in_list, and ``input_position`` is the
rank by (position_in_list, row). Label 1 = purchased. Each purchase is an order event after the slate. A venue that
venues.csv lacks becomes an item without attributes.

*What is left out.* ``has_seen_venue_in_this_session`` depends on what the user did after the list was shown, so it
leaks the label. The column is not read and may be absent. The published rates of the venues (conversion, retention)
are static, and their period is unknown.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from feature_repo.datasets.declarations.built_in import SESSIONS_VENUES
from feature_repo.datasets.errors import BadSource, DatasetError
from feature_repo.datasets.log_writer import LogWriter
from feature_repo.datasets.strict_csv import BIGINT, FLAG, REAL, UUID, WHOLE, SourceColumn, read_csv
from feature_repo.schema import events_table, impressions_table, items_table
from infra.duckdb_connection import connect
from infra.progress import step
from infra.settings import Settings

ITEMS_FROM = "2024-01-01 00:00:00+00"
FIRST_SLATE = "2024-01-02 01:00:00+00"
SEED = 20240101
ALIAS = ("item", "venue")  # some copies of the source write item instead of venue

SESSION_COLUMNS = (
    SourceColumn("purchased", FLAG, "True or False"),
    SourceColumn("session_id", UUID, "a UUID"),
    SourceColumn("position_in_list", WHOLE, "a whole number from 0 to 100000", low=0, high=100_000),
    SourceColumn("venue_id", BIGINT, "a signed 64-bit integer"),
    SourceColumn("is_new_user", FLAG, "True, False or empty", nullable=True),
    SourceColumn("is_from_order_again", FLAG, "True, False or empty", nullable=True),
    SourceColumn("is_recommended", FLAG, "True, False or empty", nullable=True),
)
VENUE_COLUMNS = (
    SourceColumn("venue_id", BIGINT, "a signed 64-bit integer"),
    SourceColumn("conversions_per_impression", REAL, "a number from 0 to 1 or empty", True, 0, 1),
    SourceColumn("price_range", REAL, "a number from 0 to 4 or empty", True, 0, 4),
    SourceColumn("rating", REAL, "a number from 0 to 10 or empty", True, 0, 10),
    SourceColumn("popularity", REAL, "a number of at least 0 or empty", True, 0),
    SourceColumn("retention_rate", REAL, "a number from 0 to 1 or empty", True, 0, 1),
)


def write_log(out: Path, *, source: Path | None, size: int | None, settings: Settings) -> None:
    """``size`` is the number of sessions, taken in the order of their hash; default all.

    Raises DatasetError without a ``source``, BadSource for a missing or malformed file.
    """
    if source is None:
        raise DatasetError(
            "sessions_venues needs --input: a folder with sessions.csv and venues.csv "
            "(python -m feature_repo.datasets.samples.sessions_venues makes one)"
        )
    connection = connect(settings)
    with LogWriter(out, SESSIONS_VENUES) as log:
        with step("reading venues.csv"):
            read_csv(connection, _found(source, "venues.csv", "items.csv"), "venues", VENUE_COLUMNS, ALIAS)
            _refuse_repeated_venue(connection, _found(source, "venues.csv", "items.csv"))
        with step("reading sessions.csv"):
            read_csv(connection, source / "sessions.csv", "sessions", SESSION_COLUMNS, ALIAS)
        with step("making slates"):
            connection.execute(_slates(size))
        _report(connection)
        with step("writing items"):
            log.write(connection, items_table(SESSIONS_VENUES), _ITEMS)
        with step("writing events"):
            log.write(connection, events_table(SESSIONS_VENUES), _EVENTS)
        with step("writing impressions"):
            log.write(connection, impressions_table(SESSIONS_VENUES), _IMPRESSIONS)


def _found(folder: Path, *names: str) -> Path:
    """The first of ``names`` that exists, else the first."""
    return next((folder / name for name in names if (folder / name).exists()), folder / names[0])


def _refuse_repeated_venue(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    found = connection.execute(
        """
        SELECT venue_id, row FROM venues
        QUALIFY row_number() OVER (PARTITION BY venue_id ORDER BY row) = 2 ORDER BY row LIMIT 1
        """
    ).fetchall()
    if found:
        raise BadSource(path, f"venue {found[0][0]} occurs twice", column="venue_id", row=found[0][1])


def _report(connection: duckdb.DuckDBPyConnection) -> None:
    rows, candidates, unknown = connection.execute(
        """
        SELECT (SELECT count(*) FROM sessions SEMI JOIN slate_times USING (session_id)), (SELECT count(*) FROM slates),
            (SELECT count(DISTINCT venue_id) FROM slates ANTI JOIN venues USING (venue_id))
        """
    ).fetchall()[0]
    print(f"  {rows - candidates} of {rows} rows repeat a venue of their session: merged", file=sys.stderr)
    print(f"  {unknown} venues are not in venues.csv: they have no attributes", file=sys.stderr)


def _slates(size: int | None) -> str:
    # A repeated venue has the flags of its first row, and is purchased if any of its rows is.
    return f"""
        CREATE TEMP TABLE slate_times AS
        SELECT session_id,
            TIMESTAMPTZ '{FIRST_SLATE}' + to_minutes(
                row_number() OVER (ORDER BY md5('{SEED}:' || session_id), session_id) - 1
            ) AS shown_ts
        FROM (SELECT DISTINCT session_id FROM sessions)
        QUALIFY row_number() OVER (ORDER BY md5('{SEED}:' || session_id), session_id) <= {size or 1_000_000_000};
        CREATE TEMP TABLE slates AS
        WITH venues_once AS (
            SELECT session_id, venue_id, shown_ts, max(purchased) OVER same_venue AS label,
                position_in_list, row, is_new_user, is_from_order_again, is_recommended
            FROM sessions JOIN slate_times USING (session_id)
            WINDOW same_venue AS (PARTITION BY session_id, venue_id)
            QUALIFY row_number() OVER (PARTITION BY session_id, venue_id ORDER BY position_in_list, row) = 1
        )
        SELECT *, sum(label) OVER (PARTITION BY session_id) AS relevant_total,
            row_number() OVER (PARTITION BY session_id ORDER BY position_in_list, row) - 1 AS input_position
        FROM venues_once;
    """


_ITEMS = f"""
    SELECT venue_id AS item_id, TIMESTAMPTZ '{ITEMS_FROM}' AS valid_from_ts, NULL AS category_id, NULL AS price,
        NULL AS old_price, NULL AS brand, NULL AS shop_id,
        conversions_per_impression AS venue_conversion, price_range AS venue_price_range, rating AS venue_rating,
        popularity AS venue_popularity, retention_rate AS venue_retention
    FROM (SELECT venue_id FROM venues UNION SELECT venue_id FROM slates) LEFT JOIN venues USING (venue_id)
    ORDER BY item_id
"""

_EVENTS = """
    SELECT session_id || '-' || venue_id || '-order' AS event_id, session_id AS user_id, session_id,
        venue_id AS item_id,
        shown_ts + INTERVAL 30 SECOND + to_microseconds(
            row_number() OVER (PARTITION BY session_id ORDER BY input_position) - 1
        ) AS event_ts,
        event_ts AS received_ts, 'order' AS action, 1 AS quantity, NULL AS value, NULL AS price,
        NULL AS category_id, session_id AS request_id, position_in_list AS shown_position
    FROM slates WHERE label = 1
    ORDER BY received_ts, event_id
"""

_IMPRESSIONS = """
    SELECT session_id AS slate_id, session_id AS user_id, session_id, venue_id AS item_id, shown_ts,
        input_position, position_in_list AS shown_position, label, relevant_total,
        is_new_user, is_from_order_again, is_recommended
    FROM slates ORDER BY shown_ts, slate_id, input_position
"""
