"""How many ids two tables share, and what those look like that do not match."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import duckdb

from validation.gates.facts.id_forms import Hint, hint

EXAMPLES = 3
PAIRS = (  # (column, left, right): every id of the left should be in the right, or many
    ("user_id", "impressions", "events"),
    ("session_id", "impressions", "events"),
    ("item_id", "impressions", "items"),
    ("item_id", "events", "items"),
    ("item_id", "impressions", "events"),
)
TABLES = {
    "user_id": ("events", "impressions"),
    "session_id": ("events", "impressions"),
    "item_id": ("items", "events", "impressions"),
}


@dataclass(frozen=True)
class Side:
    """Distinct ids of one table, and its rows that have one. ``matched_rows``: rows whose id is in the other table.

    ``unmatched``: the most frequent ids that are not, at most EXAMPLES.
    """

    table: str
    ids: int
    rows: int
    matched_rows: int
    unmatched: tuple[str, ...]


@dataclass(frozen=True)
class Overlap:
    """``shared``: ids that both tables have. ``hint``: a simple change by which more of the left would match."""

    column: str
    left: Side
    right: Side
    shared: int
    hint: Hint | None

    @property
    def known(self) -> bool:
        """Whether both tables have ids."""
        return self.left.ids > 0 and self.right.ids > 0

    def share(self, side: Side) -> float:
        return self.shared / side.ids if side.ids else 0.0


def count_ids(connection: duckdb.DuckDBPyConnection, tables: Collection[str]) -> None:
    """Create the temporary tables ``ids_<column>``: each id, and its rows in each of the ``tables`` that has them."""
    for column, found in TABLES.items():
        parts = [
            f'SELECT "{column}" AS id, count(*) AS "{table}" FROM "{table}" WHERE "{column}" IS NOT NULL GROUP BY ALL'
            for table in found
            if table in tables
        ]
        sums = ", ".join(f'coalesce(sum("{table}"), 0)::BIGINT AS "{table}"' for table in found if table in tables)
        if parts:
            connection.execute(
                f"CREATE TEMP TABLE ids_{column} AS SELECT id, {sums} FROM ({' UNION ALL BY NAME '.join(parts)}) "
                "GROUP BY id"
            )


def overlap(connection: duckdb.DuckDBPyConnection, column: str, left: str, right: str) -> Overlap:
    """Reads ``ids_<column>`` (:func:`count_ids`)."""
    ids = f"ids_{column}"
    row = connection.execute(
        f"""
        SELECT count(*) FILTER ("{left}" > 0 AND "{right}" > 0),
            count(*) FILTER ("{left}" > 0), sum("{left}"), sum("{left}") FILTER ("{right}" > 0),
            count(*) FILTER ("{right}" > 0), sum("{right}"), sum("{right}") FILTER ("{left}" > 0)
        FROM {ids}
        """
    ).fetchall()[0]
    shared, *counts = (int(value or 0) for value in row)
    found = Overlap(
        column,
        Side(left, counts[0], counts[1], counts[2], _unmatched(connection, ids, left, right)),
        Side(right, counts[3], counts[4], counts[5], _unmatched(connection, ids, right, left)),
        shared,
        None,
    )
    if not found.known or shared == counts[0]:
        return found
    alone = f'SELECT id FROM {ids} WHERE "{left}" > 0 AND "{right}" = 0'
    other = f'SELECT id FROM {ids} WHERE "{right}" > 0'
    return Overlap(column, found.left, found.right, shared, hint(connection, alone, other))


def _unmatched(connection: duckdb.DuckDBPyConnection, ids: str, table: str, other: str) -> tuple[str, ...]:
    rows = connection.execute(
        f'SELECT id FROM {ids} WHERE "{table}" > 0 AND "{other}" = 0 ORDER BY "{table}" DESC, id LIMIT {EXAMPLES}'
    ).fetchall()
    return tuple(row[0] for row in rows)
