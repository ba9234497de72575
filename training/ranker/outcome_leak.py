"""Whether outcomes stand before their slates in a log: then its features know the label, and no gain on it is real."""

from __future__ import annotations

from pathlib import Path

from feature_repo.build.log_views import open_log
from feature_repo.live.checked_events import live_events
from feature_repo.live.event_files import reading
from feature_repo.times.early_outcomes import early_outcomes
from infra.duckdb_connection import connect
from infra.settings import Settings


def outcome_leak(settings: Settings, slates: Path | None = None) -> str:
    """How outcomes leak into the features, as a sentence; empty where they do not.

    ``slates``: a file of impressions to compare with the events, instead of those of the log. Raises DatasetError.
    """
    with reading(settings.live_dir), connect(settings) as connection:
        open_log(connection, settings, live_events(settings))
        if slates is not None:
            connection.execute(f"CREATE OR REPLACE VIEW impressions AS SELECT * FROM read_parquet('{slates}')")
        found = early_outcomes(connection)
    return str(found) if found.too_many else ""
