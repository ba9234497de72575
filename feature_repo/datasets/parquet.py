"""Your own log, already in the canonical form.

Put three parquet files into a folder and run::

    RERANK_DATASET=myshop python -m feature_repo.datasets parquet --input FOLDER

``items.parquet``        item_id, valid_from_ts; category_id, price, old_price, brand, shop_id where you have them
``events.parquet``       event_id, user_id, session_id, item_id, event_ts, action; received_ts (default: event_ts),
                         quantity, value, price, category_id, request_id, shown_position where you have them
``impressions.parquet``  slate_id, user_id, session_id, item_id, shown_ts, input_position, label;
                         relevant_total (default: the positives in the slate), shown_position where you have it

:mod:`feature_repo.schema` defines the meaning, unit and range of each column. A type must only be castable: ids may be
strings or integers; times may be any timestamp (UTC if it has no zone) or ISO 8601 text; money may be any number and is
rounded to cents. The order of columns does not matter. A missing nullable column is filled with null. An undeclared
column is an error, so that no data is dropped silently.

``dataset.json`` declares additional columns and the time zone of the days. Without it there are no additional columns,
and days are UTC days::

    {"title": "My shop", "timezone": "Europe/Paris",
     "item_extras": [{"name": "rating", "dtype": "float32", "description": "stars", "unit": "points",
                      "nullable": true, "minimum": 0, "maximum": 5}],
     "facts": [{"name": "is_recommended", "dtype": "float32", "description": "1 if promoted", "nullable": true}],
     "context": [{"name": "store_id", "dtype": "string", "description": "store", "nullable": true}]}

``item_extras`` are columns of items; those of type float32 are model features. ``facts`` are float32 columns of
impressions; a /score request also sends them. ``context`` are string columns of impressions with one value per slate.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from feature_repo.datasets.declarations.user_declaration import user_declaration
from feature_repo.datasets.errors import BadSource, DatasetError
from feature_repo.datasets.log_writer import LogWriter, duckdb_type
from feature_repo.datasets.parquet_checks import ROW, SOURCE, check_column, check_columns, check_key, check_slates
from feature_repo.duckdb_connection import connect
from feature_repo.schema import Column, Table, log_tables
from infra.progress import step
from infra.settings import Settings

SEED = 20240101
# SQL for a required column that is missing.
DEFAULTS = {
    ("events", "received_ts"): "event_ts",
    ("impressions", "relevant_total"): "count(*) FILTER (label > 0) OVER (PARTITION BY slate_id)",
}


def write_log(out: Path, *, source: Path | None, size: int | None, settings: Settings) -> None:
    """``size`` is the number of slates, a seeded sample; default all. Items and events are always written in full.

    Raises DatasetError without a ``source``, BadSource for a file that the contract forbids.
    """
    if source is None:
        raise DatasetError("parquet needs --input: a folder with items.parquet, events.parquet and impressions.parquet")
    if source.resolve() == out.resolve():
        raise DatasetError(f"{source} is both --input and --out: the source would be replaced")
    declaration = user_declaration(source, settings)
    connection = connect(settings)
    with LogWriter(out, declaration) as log:
        for table in log_tables(declaration):
            with step(f"checking and writing {table.name}"):
                path = source / f"{table.name}.parquet"
                _read(connection, path, table)
                if table.name == "impressions":
                    check_slates(connection, path, declaration)
                log.write(connection, table, _query(table, size))


def _read(connection: duckdb.DuckDBPyConnection, path: Path, table: Table) -> None:
    """Create ``table.name`` with the contract's columns and the column ROW. Raises BadSource."""
    types = _types(connection, path)
    check_columns(path, table, set(types), {name for of, name in DEFAULTS if of == table.name})
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW {SOURCE} AS SELECT * FROM read_parquet('{_quoted(path)}', {ROW} = true)"
    )
    for column in table.columns:
        if column.name in types:
            check_column(connection, path, column, types[column.name])
    present = ", ".join(
        f'CAST("{c.name}" AS {duckdb_type(c.dtype)}) AS "{c.name}"' for c in table.columns if c.name in types
    )
    completed = ", ".join(f'{_completed(table, c, c.name in types)} AS "{c.name}"' for c in table.columns)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE {table.name} AS
        SELECT {ROW}, {completed} FROM (SELECT {ROW}, {present} FROM {SOURCE})
        """
    )
    check_key(connection, path, table)


def _types(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet('{_quoted(path)}')").fetchall()
    except duckdb.Error as error:
        problem = "the file is missing" if not path.exists() else str(error).splitlines()[0]
        raise BadSource(path, problem) from error
    return {row[0]: row[1] for row in described}


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _completed(table: Table, column: Column, present: bool) -> str:
    """SQL of the column: the column itself, or its default if it is missing."""
    if present:
        return f'"{column.name}"'
    return DEFAULTS.get((table.name, column.name), f"NULL::{duckdb_type(column.dtype)}")


def _query(table: Table, size: int | None) -> str:
    order = {"items": "valid_from_ts, item_id", "events": "received_ts, event_id"}.get(
        table.name, "shown_ts, slate_id, input_position"
    )
    sample = ""
    if table.name == "impressions" and size is not None:
        sample = f"""
            SEMI JOIN (
                SELECT DISTINCT slate_id FROM impressions ORDER BY md5('{SEED}:' || slate_id), slate_id LIMIT {size}
            ) USING (slate_id)
        """
    return f"SELECT * FROM {table.name} {sample} ORDER BY {order}"
