"""Every column of a table: nulls, distinct values, least and greatest; and rows that repeat another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

EXACT_ROWS = 1_000_000  # more rows are counted approximately; equal data give equal counts all the same
SHOWN = 40  # characters of a value
# The columns that make two rows the same but for their id.
SAME = {"events": ("user_id", "session_id", "item_id", "action", "event_ts", "value", "quantity")}


@dataclass(frozen=True)
class ColumnFacts:
    """``distinct``: values, not null; about so many if the table has more than EXACT_ROWS rows; None for lists.

    ``least``, ``greatest``: as text, cut; None without a value.
    """

    name: str
    type: str
    rows: int
    nulls: int
    distinct: int | None
    least: str | None
    greatest: str | None


@dataclass(frozen=True)
class TableFacts:
    """``repeated``: rows that agree with another in the columns of SAME; None where it names none for the table."""

    table: str
    rows: int
    columns: Sequence[ColumnFacts]
    repeated: int | None

    @property
    def exact(self) -> bool:
        return self.rows <= EXACT_ROWS


def table_facts(connection: duckdb.DuckDBPyConnection, table: str) -> TableFacts:
    types = {
        name: kind
        for name, kind, *_ in connection.execute(f'DESCRIBE SELECT * FROM "{table}"').fetchall()
        if name != "file_row_number"
    }
    (rows,) = connection.execute(f'SELECT count(*) FROM "{table}"').fetchall()[0]
    counts = "count(DISTINCT {0})" if rows <= EXACT_ROWS else "approx_count_distinct({0})"
    found = []
    for name, kind in types.items():  # one column at a time: the distinct values of all would take the memory of all
        column = f'"{name}"'
        parts = [f"count({column})", "NULL", "NULL", "NULL"]
        if not kind.endswith("[]"):
            cut = "left({0}(" + column + f")::VARCHAR, {SHOWN})"
            parts[1:] = [counts.format(column), cut.format("min"), cut.format("max")]
        known, *rest = connection.execute(f'SELECT {", ".join(parts)} FROM "{table}"').fetchall()[0]
        found.append(ColumnFacts(name, kind, rows, rows - known, *rest))
    return TableFacts(table, rows, found, _repeated(connection, table))


def _repeated(connection: duckdb.DuckDBPyConnection, table: str) -> int | None:
    if table not in SAME:
        return None
    same = ", ".join(SAME[table])
    (repeated,) = connection.execute(
        f'SELECT coalesce(sum(n - 1), 0)::BIGINT FROM (SELECT count(*) AS n FROM "{table}" GROUP BY {same})'
    ).fetchall()[0]
    return int(repeated)
