"""DuckDB connections: UTC, bounded memory, with a folder to spill to."""

from __future__ import annotations

from pathlib import Path

import duckdb

from infra.settings import Settings


def connect(settings: Settings) -> duckdb.DuckDBPyConnection:
    """An in-memory database with the limits of the settings."""
    return open_database(settings.duckdb_memory_limit, settings.threads, settings.spill_dir)


def open_database(memory_limit: str, threads: int, spill: Path) -> duckdb.DuckDBPyConnection:
    """An in-memory database. What does not fit into ``memory_limit`` is written to the folder ``spill``."""
    spill.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    connection.execute(f"SET memory_limit = '{memory_limit}'")
    connection.execute(f"SET threads = {threads}")
    connection.execute("SET temp_directory = ?", [str(spill)])
    return connection
