"""How much of the slates was shown before the catalog knew the item."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb

from validation.gates.facts.time_span import instant


@dataclass(frozen=True)
class CatalogFacts:
    """``rows``: of impressions, with an item of the catalog; ``undated``: those shown before its first
    ``valid_from_ts``. ``first_slate``, ``example``: None without rows, or without such ones.
    """

    rows: int
    undated: int
    first_slate: datetime | None
    example: str | None

    @property
    def share(self) -> float:
        return self.undated / self.rows if self.rows else 0.0


def catalog_facts(connection: duckdb.DuckDBPyConnection) -> CatalogFacts:
    row = connection.execute(
        """
        WITH first AS (SELECT item_id, min(valid_from_ts) AS known_ts FROM items GROUP BY item_id)
        SELECT count(*), count(*) FILTER (known_ts > shown_ts), epoch_us(min(shown_ts)),
            min('item_id = ' || item_id || ', from ' || known_ts::VARCHAR || ', shown at ' || shown_ts::VARCHAR)
                FILTER (known_ts > shown_ts)
        FROM impressions JOIN first USING (item_id)
        """
    ).fetchall()[0]
    rows, undated, first_us, example = row
    return CatalogFacts(rows, undated, None if first_us is None else instant(first_us), example)
