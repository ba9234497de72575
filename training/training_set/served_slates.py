"""The slates that were served and shown, labelled by the feedback on them, as impressions of the canonical log.

A slate is an answer of ``POST /score`` (:mod:`feature_repo.live.score_records`; the slates of ``/recommend`` have other
features and no order of a caller, so they are left out), or an imported slate whose positions
on the screen are known. Feedback is joined only by ``request_id``, and only where its user or its session is that of
the slate: who learns or guesses the id of other people's slate cannot label it. A slate that was scored without user
and session has nothing to compare; there the id, which cannot be guessed, is enough.

A candidate that was scored but not shown has the label -1, because its feedback is unknown. It stays in the slate,
because features compare the candidates of a slate. A slate whose feedback window has not ended is labelled by the
feedback so far.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from feature_repo.build.log_views import open_log
from feature_repo.datasets.errors import DatasetError
from feature_repo.datasets.log_writer import duckdb_type
from feature_repo.live.event_files import event_files, reading
from feature_repo.live.score_records import SCORE, score_files
from feature_repo.schema import Declaration, impressions_table
from infra.duckdb_connection import connect
from infra.settings import Settings

GAINS = {"view": 1, "like": 2, "add_to_cart": 2, "order": 3}
NOT_SHOWN = -1
SLATES_FILE = "impressions.parquet"


@dataclass(frozen=True)
class Served:
    """``path``: the impressions. ``until``: the newest timestamp of the data in them."""

    path: Path
    slates: int
    shown: int
    positives: int
    until: datetime


def write_served_slates(settings: Settings, declaration: Declaration, folder: Path, window: timedelta) -> Served:
    """Write ``folder``/impressions.parquet atomically. ``window``: how long after a slate feedback counts.

    Raises DatasetError if no slate was both served and shown.
    """
    connection = connect(settings)
    seconds = window.total_seconds()
    with reading(settings.live_dir):
        open_log(connection, settings, event_files(settings.live_dir))  # also those that came after the last build
        _open_requests(connection, settings, declaration)
        connection.execute(_LABELLED, {"window_s": seconds})
        slates, shown, positives, until = connection.execute(
            f"SELECT count(DISTINCT slate_id), count(*) FILTER (label >= 0), count(*) FILTER (label > 0), "
            f"(SELECT greatest(max(l.shown_ts) + INTERVAL {round(seconds)} SECOND, max(received_ts)) FROM events) "
            "FROM labelled l"
        ).fetchall()[0]
    if not slates:
        raise DatasetError(
            "no slate was both served and shown: for each item on the screen send an impression with request_id and "
            "shown_position to POST /events, and send request_id with the feedback"
        )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / SLATES_FILE
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    columns = impressions_table(declaration).columns
    listed = ", ".join(f'CAST("{c.name}" AS {duckdb_type(c.dtype)}) AS "{c.name}"' for c in columns)
    connection.execute(
        f"COPY (SELECT {listed} FROM labelled ORDER BY shown_ts, slate_id, input_position) "
        f"TO '{partial}' (FORMAT parquet, COMPRESSION zstd)"
    )
    partial.replace(path)
    return Served(path, slates, shown, positives, until)


def _open_requests(connection: duckdb.DuckDBPyConnection, settings: Settings, declaration: Declaration) -> None:
    """Create the view ``candidates`` of answers and of imported slates. Its shown_position is null for answers."""
    facts = [column.name for column in declaration.facts]
    context = [column.name for column in declaration.context]
    imported = ", ".join(f'"{name}"' for name in (*facts, *context))
    parts = [
        f"""
        SELECT slate_id, user_id, session_id, item_id, shown_ts, input_position, shown_position
            {"," if imported else ""} {imported}
        FROM impressions WHERE shown_position IS NOT NULL
        """
    ]
    files = score_files(settings.live_dir)
    if files:
        paths = ", ".join(f"'{path}'" for path in files)
        sent = [
            f"list_filter(sent, lambda x: x.place = input_position AND x.feature = '{name}')[1].value AS \"{name}\""
            for name in facts
        ]
        in_context = [f"map_extract_value(context, '{name}') AS \"{name}\"" for name in context]
        more = "".join(f", {column}" for column in (*sent, *in_context))
        parts.append(
            f"""
            SELECT slate_id, user_id, session_id, item_id, shown_ts, input_position, NULL AS shown_position{more}
            FROM (
                SELECT request_id AS slate_id, coalesce(user_id, '') AS user_id,
                    coalesce(session_id, '') AS session_id, unnest(item_ids) AS item_id, scored_at AS shown_ts,
                    generate_subscripts(item_ids, 1) - 1 AS input_position, sent, context
                FROM (
                    FROM read_parquet([{paths}], hive_partitioning = false, union_by_name = true)
                    UNION ALL BY NAME SELECT NULL::VARCHAR AS kind WHERE false  -- files of old releases lack it
                ) WHERE coalesce(kind, '{SCORE}') = '{SCORE}'
            )
            """
        )
    connection.execute(f"CREATE VIEW candidates AS {' UNION ALL '.join(parts)}")


_LABELLED = f"""
    CREATE TEMP TABLE labelled AS
    WITH followed AS (
        SELECT c.slate_id, c.item_id, c.shown_ts, e.action, e.event_ts, e.shown_position
        FROM candidates c JOIN events e ON e.request_id = c.slate_id AND e.item_id = c.item_id
        WHERE (c.user_id <> '' AND e.user_id = c.user_id) OR (c.session_id <> '' AND e.session_id = c.session_id)
            OR (c.user_id = '' AND c.session_id = '')
    ), shown AS (
        SELECT slate_id, item_id, min(shown_position) AS seen_at FROM followed WHERE action = 'impression' GROUP BY ALL
    ), gains AS (
        SELECT slate_id, item_id,
            max(CASE action {" ".join(f"WHEN '{action}' THEN {gain}" for action, gain in GAINS.items())} END) AS gain
        FROM followed WHERE event_ts BETWEEN shown_ts AND shown_ts + to_seconds($window_s) GROUP BY ALL
    ), joined AS (
        SELECT c.* REPLACE (coalesce(c.shown_position, seen_at) AS shown_position),
            CASE WHEN coalesce(c.shown_position, seen_at) IS NULL THEN {NOT_SHOWN} ELSE coalesce(gain, 0) END AS label
        FROM candidates c LEFT JOIN shown USING (slate_id, item_id) LEFT JOIN gains USING (slate_id, item_id)
    )
    SELECT *, count(*) FILTER (label > 0) OVER (PARTITION BY slate_id) AS relevant_total FROM joined
    QUALIFY count(*) FILTER (label >= 0) OVER (PARTITION BY slate_id) > 0
"""
