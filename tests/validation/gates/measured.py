"""A log made of rows of :mod:`tests.small_log`, open in DuckDB without a file, and the rules that it breaks."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa

from feature_repo.schema import log_tables
from tests.small_log import DECLARATION
from validation.gates.facts.log_facts import LogFacts
from validation.gates.rule_evaluation import measure
from validation.gates.rules.rule import Rule

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Rows = Iterable[dict[str, Any]]


def opened(items: Rows = (), events: Rows = (), impressions: Rows = ()) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for table, rows in zip(log_tables(DECLARATION), (items, events, impressions), strict=True):
        schema = pa.schema([field.with_nullable(True) for field in table.arrow])
        plain = pa.Table.from_pylist([{**row} for row in rows], schema=_written(schema)).cast(schema)
        connection.register(table.name, plain)
    return connection


def _written(schema: pa.Schema) -> pa.Schema:
    """Money is written as a float in the rows."""
    return pa.schema([pa.field(f.name, pa.float64() if pa.types.is_decimal(f.type) else f.type) for f in schema])


def measured(
    items: Rows = (), events: Rows = (), impressions: Rows = (), *, now: datetime = NOW, split: Any = None
) -> LogFacts:
    return LogFacts(opened(items, events, impressions), ("items", "events", "impressions"), now, split)


def broken(rules: Iterable[Rule], items: Rows = (), events: Rows = (), impressions: Rows = ()) -> dict[str, str]:
    """``table.column: text`` of the broken rules -> what was found."""
    connection = opened(items, events, impressions)
    facts = LogFacts(connection, ("items", "events", "impressions"), NOW)
    listed = list(rules)
    return {
        f"{found.rule.severity.word} {table}.{found.rule.title}": str(found.example)
        for table in ("items", "events", "impressions")
        for found in measure(connection, table, [rule for rule in listed if rule.table == table], facts)
        if found.share > found.rule.tolerated
    }
