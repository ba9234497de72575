"""Accepted changes of items as tables of the log, in SQL.

``item_changes``: the changes with the columns of :func:`feature_repo.schema.item_changes_table`, from the files of the
consumer or from the one that the live gate wrote. ``items``: the imported versions, and one version per change.

A version made by a change has what the change sets; each other attribute is that of the item's version before it,
imported or not. An imported version sets all attributes. Where both begin at the same time, the change comes last.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from feature_repo.datasets.log_writer import duckdb_type
from feature_repo.live.checked_events import Checked
from feature_repo.live.items.files import ITEM_CHANGES
from feature_repo.schema import Column, Declaration, DType, item_changes_table, item_values

CHECKED_CHANGES = Checked(ITEM_CHANGES, "item_changes.parquet", "item_quarantine.parquet")
live_changes = CHECKED_CHANGES.files


def changes_sql(files: Sequence[Path], declaration: Declaration) -> str:
    """``files``: of :func:`live_changes`. A value that is not of its column's type is null."""
    columns = item_changes_table(declaration).columns
    if not files:
        nothing = ", ".join(f'CAST(NULL AS {duckdb_type(c.dtype)}) AS "{c.name}"' for c in columns)
        return f"SELECT {nothing} WHERE false"
    listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
    source = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
    if files[0].name == CHECKED_CHANGES.sound_name:
        return "SELECT " + ", ".join(f'"{column.name}"' for column in columns) + f" FROM {source}"
    return typed_sql(source, declaration)


def typed_sql(source: str, declaration: Declaration, *more: str) -> str:
    """``source``: SQL of rows as the consumer writes them. ``more``: further columns of it to select."""
    table = item_changes_table(declaration)
    values = [f'{_typed(column)} AS "{column.name}"' for column in item_values(declaration)]
    keys = [f'"{column.name}"' for column in table.columns[: len(table.columns) - len(values)]]
    return f"SELECT {', '.join([*keys, *values, *more])} FROM {source}"


def is_untyped(declaration: Declaration) -> str:
    """SQL that is true for a row of the consumer's files with a value that is not of its column's type."""
    return " OR ".join(f"({_text(c)} IS NOT NULL AND {_typed(c)} IS NULL)" for c in item_values(declaration))


def _text(column: Column) -> str:
    return f"texts[list_position(columns, '{column.name}')]"


def _typed(column: Column) -> str:
    return f"TRY_CAST({_text(column)} AS {duckdb_type(column.dtype)})"


def open_items(
    connection: duckdb.DuckDBPyConnection, imported: str, changes: Sequence[Path], declaration: Declaration
) -> None:
    """Create ``items`` and ``item_changes``. ``imported``: SQL of the imported items.

    ``items`` has one more column, ``changed``: what a version's change set, null for an imported version.
    """
    connection.execute(f"CREATE OR REPLACE TEMP TABLE item_changes AS {changes_sql(changes, declaration)}")
    connection.execute(f"CREATE OR REPLACE TEMP VIEW imported_items AS {_with_all_columns(imported)}")
    columns = item_values(declaration)
    folded = ", ".join(f'({_last_set(column.name)}).value AS "{column.name}"' for column in columns)
    names = ", ".join(f'"{column.name}"' for column in columns)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE changed_items AS
        WITH versions AS (
            SELECT item_id, valid_from_ts, changed, {names} FROM imported_items SEMI JOIN item_changes USING (item_id)
            UNION ALL SELECT item_id, received_ts, changed, {names} FROM item_changes
        )
        SELECT item_id, valid_from_ts, changed, {folded} FROM versions
        WINDOW in_order AS (PARTITION BY item_id ORDER BY valid_from_ts, changed IS NOT NULL),
            so_far AS (in_order ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
        QUALIFY lead(valid_from_ts) OVER in_order IS DISTINCT FROM valid_from_ts
        """
    )
    connection.execute(
        """
        CREATE OR REPLACE TEMP VIEW items AS
        SELECT * FROM imported_items ANTI JOIN changed_items USING (item_id)
        UNION ALL BY NAME SELECT * FROM changed_items
        """
    )


def _with_all_columns(imported: str) -> str:
    """The imported items with ``changed``, and with ``in_stock`` where the log has none."""
    added = (Column("in_stock", DType.INT64, ""), Column("changed", DType.STRING_LIST, ""))
    nothing = ", ".join(f"CAST(NULL AS {duckdb_type(c.dtype)}) AS {c.name}" for c in added)
    return f"{imported} UNION ALL BY NAME SELECT {nothing} WHERE false"


def _last_set(name: str) -> str:
    """SQL of the newest version that set the column, with its value, which may be null."""
    sets = f"changed IS NULL OR list_contains(changed, '{name}')"
    return f"last_value(CASE WHEN {sets} THEN {{'value': \"{name}\"}} END IGNORE NULLS) OVER so_far"
