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
    shown = """
        FROM impressions JOIN (SELECT item_id, min(valid_from_ts) AS known_ts FROM items GROUP BY item_id)
        USING (item_id)
    """
    rows, undated, first_us = connection.execute(
        f"SELECT count(*), count(*) FILTER (known_ts > shown_ts), epoch_us(min(shown_ts)) {shown}"
    ).fetchall()[0]
    example = None
    if undated:
        text = "'item_id = ' || item_id || ', from ' || known_ts::VARCHAR || ', shown at ' || shown_ts::VARCHAR"
        (example,) = connection.execute(f"SELECT min({text}) {shown} WHERE known_ts > shown_ts").fetchall()[0]
    return CatalogFacts(rows, undated, None if first_us is None else instant(first_us), example)
