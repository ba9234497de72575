"""DuckDB connections: UTC, bounded memory, spilling beside the data."""

from __future__ import annotations

from pathlib import Path

import duckdb

from infra.settings import Settings


def connect(settings: Settings, spill: Path | None = None) -> duckdb.DuckDBPyConnection:
    """An in-memory database. ``spill`` is the folder for what does not fit in memory."""
    folder = spill or settings.state_dir / "spill"
    folder.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    connection.execute(f"SET memory_limit = '{settings.duckdb_memory_limit}'")
    connection.execute(f"SET threads = {settings.threads}")
    connection.execute(f"SET temp_directory = '{folder}'")
    return connection
