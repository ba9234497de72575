"""The share of positives in each position: whether the list had a good order already, and how far users look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

BOUNDS = (*range(10), 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000)  # of the groups of positions


@dataclass(frozen=True)
class PositionShare:
    """Positions from ``first`` to ``last``: their rows, and how many have a label above 0."""

    first: int
    last: int
    rows: int
    positives: int

    @property
    def share(self) -> float:
        return self.positives / self.rows


def position_shares(connection: duckdb.DuckDBPyConnection, column: str) -> Sequence[PositionShare]:
    """``column``: input_position or shown_position; rows without it are left out. Groups without rows, too."""
    bounds = ", ".join(map(str, BOUNDS))
    rows = connection.execute(
        f"""
        SELECT list_max(list_filter([{bounds}], lambda bound: bound <= position)) AS first, max(position),
            sum(rows)::BIGINT, sum(positives)::BIGINT
        FROM (
            SELECT {column} AS position, count(*) AS rows, count(*) FILTER (label > 0) AS positives
            FROM impressions WHERE {column} >= 0 GROUP BY ALL
        ) GROUP BY 1 ORDER BY 1
        """
    ).fetchall()
    return [PositionShare(*row) for row in rows]
