"""The distribution of each column of money, and whether its values lost their precision."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import duckdb

COLUMNS = (("items", "price"), ("items", "old_price"), ("events", "price"), ("events", "value"))
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True)
class PriceFacts:
    """rows:      of the table; ``known``: those with a value; ``zero``: those with 0.00
    quantiles: the QUANTILES of the known values, empty without one
    common:    (the most frequent value, its rows); of equal ones the least
    """

    table: str
    column: str
    rows: int
    known: int
    zero: int
    distinct: int
    quantiles: tuple[Decimal, ...]
    common: tuple[Decimal, int] | None


def price_facts(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> PriceFacts:
    quantiles = ", ".join(map(str, QUANTILES))
    rows, known, zero, distinct, found = connection.execute(
        f"""
        SELECT count(*), count({column}), count(*) FILTER ({column} = 0), count(DISTINCT {column}),
            quantile_disc({column}, [{quantiles}])
        FROM {table}
        """
    ).fetchall()[0]
    common = connection.execute(
        f"SELECT {column}, count(*) FROM {table} WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1"
    ).fetchall()
    return PriceFacts(table, column, rows, known, zero, distinct, tuple(found or ()), common[0] if common else None)
