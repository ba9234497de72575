"""The last steps of a user's own log, whatever form its files have: columns with a default, keys, slates, writing.

The tables ``items``, ``events`` and ``impressions`` have the columns of the contract, and FILE and ROW.
"""

from __future__ import annotations

import duckdb

from feature_repo.datasets.checks.slates import repeated_key, slate_problems
from feature_repo.datasets.errors import raise_all
from feature_repo.datasets.log_writer import LogWriter, duckdb_type
from feature_repo.schema import Column, Declaration, Table, log_tables
from infra.progress import step

SEED = 20240101
# SQL for a required column that is missing.
DEFAULTS = {
    ("events", "received_ts"): "event_ts",
    ("impressions", "relevant_total"): "count(*) FILTER (label > 0) OVER (PARTITION BY slate_id)",
}
_ORDER = {
    "items": "valid_from_ts, item_id",
    "events": "received_ts, event_id",
    "impressions": "shown_ts, slate_id, input_position",
}


def defaulted(table: Table) -> set[str]:
    """The required columns of the table that have a default."""
    return {name for of, name in DEFAULTS if of == table.name}


def completed(table: Table, column: Column, present: bool) -> str:
    """SQL of the column: the column itself, or its default if it is missing."""
    if present:
        return f'"{column.name}"'
    return DEFAULTS.get((table.name, column.name), f"NULL::{duckdb_type(column.dtype)}")


def write_tables(
    connection: duckdb.DuckDBPyConnection, log: LogWriter, declaration: Declaration, size: int | None
) -> None:
    """``size`` is the number of slates, a seeded sample; default all. Items and events are always written in full.

    Raises DatasetError with every key that is repeated and every kind of slate that does not hold together.
    """
    tables = log_tables(declaration)
    with step("checking keys and slates"):
        raise_all([problem for table in tables for problem in repeated_key(connection, table)])
        raise_all(slate_problems(connection, declaration))
    for table in tables:
        with step(f"writing {table.name}"):
            log.write(connection, table, _query(table, size))


def _query(table: Table, size: int | None) -> str:
    sample = ""
    if table.name == "impressions" and size is not None:
        sample = f"""
            SEMI JOIN (
                SELECT DISTINCT slate_id FROM impressions ORDER BY md5('{SEED}:' || slate_id), slate_id LIMIT {size}
            ) USING (slate_id)
        """
    return f"SELECT * FROM {table.name} {sample} ORDER BY {_ORDER[table.name]}"
