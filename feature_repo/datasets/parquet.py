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
column is an error, so that no data is dropped silently. All faults that do not depend on each other are named at once.

The same tables as CSV or JSON lines (``events.csv``, ``events.csv.gz``, ``events.jsonl``) are taken, too. Files with
other names or columns, without sessions and so on: :mod:`feature_repo.datasets.files`.

``dataset.json`` declares additional columns, the time zone of the days, and for a currency of large numbers the bound
of prices. Without it there are no additional columns, and days are UTC days::

    {"title": "My shop", "timezone": "Europe/Paris", "currency": "IDR", "max_price": 500000000,
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

from feature_repo.datasets.checks.columns import column_problems
from feature_repo.datasets.checks.values import (
    FILE,
    ROW,
    first_problems,
    lost_money,
    plain_value,
    problem,
    type_problem,
)
from feature_repo.datasets.declarations.user_declaration import user_declaration
from feature_repo.datasets.errors import BadSource, DatasetError, raise_all
from feature_repo.datasets.files.adapter import write_mapped
from feature_repo.datasets.files.canonical import canonical_mapping, is_canonical
from feature_repo.datasets.log_writer import LogWriter, duckdb_type
from feature_repo.datasets.own_log import completed, defaulted, write_tables
from feature_repo.schema import Table, log_tables
from infra.duckdb_connection import connect
from infra.progress import step
from infra.settings import Settings

_SOURCE_ROW = "file_row_number"  # of DuckDB, from 0


def write_log(out: Path, *, source: Path | None, size: int | None, settings: Settings) -> None:
    """``size`` is the number of slates, a seeded sample; default all. Items and events are always written in full.

    Raises DatasetError without a ``source``, BadSource for a file that the contract forbids, BadSources for several.
    """
    if source is None:
        raise DatasetError("parquet needs --input: a folder with items.parquet, events.parquet and impressions.parquet")
    if not source.is_dir():
        raise DatasetError(f"{source}: there is no such folder")
    if source.resolve() == out.resolve():
        raise DatasetError(f"{source} is both --input and --out: the source would be replaced")
    declaration = user_declaration(source, settings)
    tables = log_tables(declaration)
    if is_canonical(source, tables):
        write_mapped(out, source, declaration, size, settings, lambda s: canonical_mapping(s, source, tables))
        return
    with connect(settings) as connection, LogWriter(out, declaration) as log:
        with step("checking the columns"):
            raise_all([fault for table in tables for fault in _opened(connection, source, table)])
        with step("checking the values"):
            raise_all([fault for table in tables for fault in _bad_values(connection, table)])
        for table in tables:
            connection.execute(f"CREATE TEMP TABLE {table.name} AS {_typed(connection, table)}")
        write_tables(connection, log, declaration, size)


def _opened(connection: duckdb.DuckDBPyConnection, source: Path, table: Table) -> list[BadSource]:
    """Create the view ``source_NAME`` of the file with FILE and ROW, unless its columns are wrong."""
    path = source / f"{table.name}.parquet"
    try:
        types = _types(connection, f"read_parquet({_quoted(path)})")
    except duckdb.Error as error:
        problem = _missing(source, table) if not path.exists() else str(error).splitlines()[0]
        return [BadSource(path, problem)]
    faults = column_problems(path, table, types, defaulted(table))
    faults += [
        BadSource(path, wrong, column=column.name)
        for column in table.columns
        if column.name in types and (wrong := type_problem(column, types[column.name]))
    ]
    if not faults:
        connection.execute(
            f"""
            CREATE TEMP VIEW source_{table.name} AS
            SELECT * EXCLUDE ({_SOURCE_ROW}), {_quoted(path)} AS {FILE}, {_SOURCE_ROW} + 1 AS {ROW}
            FROM read_parquet({_quoted(path)}, {_SOURCE_ROW} = true)
            """
        )
    return faults


def _missing(source: Path, table: Table) -> str:
    others = sorted(path.name for path in source.glob(f"{table.name}.*")) if source.is_dir() else []
    if others:
        return f"the file is missing; python -m feature_repo.init NAME --input FOLDER finds out what {others[0]} holds"
    return "the file is missing"


def _bad_values(connection: duckdb.DuckDBPyConnection, table: Table) -> list[BadSource]:
    present = _types(connection, f"source_{table.name}")
    values = [plain_value(column) for column in table.columns if column.name in present]
    problems = [(value.name, problem(value)) for value in values]
    relation = f"source_{table.name}"
    return first_problems(connection, relation, problems) or lost_money(connection, relation, values)


def _typed(connection: duckdb.DuckDBPyConnection, table: Table) -> str:
    """SQL of all columns of the contract, of its types, with FILE and ROW."""
    present = _types(connection, f"source_{table.name}")
    cast = ", ".join(
        f'CAST("{c.name}" AS {duckdb_type(c.dtype)}) AS "{c.name}"' for c in table.columns if c.name in present
    )
    columns = ", ".join(f'{completed(table, c, c.name in present)} AS "{c.name}"' for c in table.columns)
    return f"SELECT {FILE}, {ROW}, {columns} FROM (SELECT {FILE}, {ROW}, {cast} FROM source_{table.name})"


def _types(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
