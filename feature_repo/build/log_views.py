"""Opens the canonical log in DuckDB, and finds its end and the midnights of feature rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.live.items.versions import live_changes, open_items
from infra.settings import Settings


def open_log(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    live: Sequence[Path],
    changes: Sequence[Path] | None = None,
) -> None:
    """Create the views items, item_changes, events (with ``day`` = UTC day of receipt) and impressions.

    live:    files of accepted events, which are read beside the imported ones
             (:func:`feature_repo.live.checked_events.live_events`)
    changes: files of accepted changes of items (:mod:`feature_repo.live.items.versions`), by default all sound ones

    Raises DatasetError if a table is missing or unreadable.
    """
    declaration = declaration_of(settings)
    if changes is None:
        changes = live_changes(settings)
    for name in ("items", "events", "impressions"):
        paths = [settings.log_dir / f"{name}.parquet"]
        extra = ""
        if name == "events":
            paths += live
            extra = ", date_trunc('day', received_ts) AS day"
        listed = ", ".join(f"'{path}'" for path in paths)
        query = f"SELECT *{extra} FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
        try:
            if name == "items":
                open_items(connection, query, changes, declaration)
            else:
                connection.execute(f"CREATE OR REPLACE VIEW {name} AS {query}")
        except duckdb.Error as error:
            raise DatasetError(f"{name} of {settings.log_dir}: {str(error).splitlines()[0]}") from error


def end_of_log(connection: duckdb.DuckDBPyConnection) -> datetime:
    """The newest ``received_ts`` or ``shown_ts``. Raises DatasetError for a log without events and impressions."""
    row = connection.execute(
        "SELECT greatest((SELECT max(received_ts) FROM events), (SELECT max(shown_ts) FROM impressions))"
    ).fetchall()[0]
    if row[0] is None:
        raise DatasetError("the log holds neither events nor impressions")
    end: datetime = row[0]
    return end.astimezone(UTC)


def last_midnight(timestamp: datetime) -> datetime:
    """The latest UTC midnight that is not after ``timestamp``."""
    return timestamp.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def midnights(changes: str, key: str, until: datetime, refresh: timedelta) -> str:
    """SQL for (key, midnight): each midnight of ``changes`` up to ``until``, and one every ``refresh`` in between.

    ``changes`` is SQL for (key, midnight), which may repeat.
    """
    end = f"TIMESTAMPTZ '{until.isoformat()}'"
    return f"""
        SELECT {key},
            unnest(generate_series(midnight, following - INTERVAL 1 DAY, INTERVAL {refresh.days} DAY)) AS midnight
        FROM (
            SELECT {key}, midnight,
                coalesce(lead(midnight) OVER (PARTITION BY {key} ORDER BY midnight), {end} + INTERVAL 1 DAY)
                    AS following
            FROM (SELECT DISTINCT {key}, midnight FROM ({changes}) WHERE midnight <= {end})
        )
    """


def snapshots(every: timedelta, first: datetime, until: datetime) -> list[datetime]:
    """The midnights at whole multiples of ``every`` since 1970-01-01, after ``first`` and not after ``until``."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    number = (first - epoch) // every + 1
    found = []
    while (midnight := epoch + number * every) <= until:
        found.append(midnight)
        number += 1
    return found
