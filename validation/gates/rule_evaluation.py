"""Counts the rows that break each rule: one scan per table for all rules on single rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from validation.gates.facts.log_facts import LogFacts
from validation.gates.rules.rule import FactRule, QueryRule, RowRule, Rule, shown
from validation.gates.rules.table_file import TableFile


@dataclass(frozen=True)
class Finding:
    """``unexpected``: violations of ``rule`` in ``rows`` rows. ``example``: one of them, the first in text order."""

    rule: Rule
    unexpected: int
    rows: int
    example: str | None

    @property
    def share(self) -> float:
        return self.unexpected / self.rows if self.rows else float(self.unexpected > 0)


def open_files(connection: duckdb.DuckDBPyConnection, files: Sequence[TableFile]) -> None:
    """Create one view per file, with its columns and ``file_row_number``."""
    for file in files:
        also = f" UNION ALL BY NAME {file.also}" if file.also else ""
        connection.execute(
            f'CREATE VIEW "{file.name}" AS SELECT * FROM read_parquet([{listed((file.path, *file.more))}], '
            f"union_by_name = true, hive_partitioning = false, file_row_number = true){also}"
        )


def listed(paths: Sequence[Path]) -> str:
    """SQL for a list of files, without its brackets."""
    return ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)


def set_timestamps(connection: duckdb.DuckDBPyConnection, now: datetime, *, log_end: bool) -> None:
    """Set the variable ``now`` and, if events and impressions are open, ``log_end``, which is null for an empty log."""
    connection.execute(f"SET VARIABLE now = TIMESTAMPTZ '{now.isoformat()}'")
    if log_end:
        connection.execute(
            """
            SET VARIABLE log_end = (SELECT max(t) FROM (
                SELECT max(received_ts) AS t FROM events UNION ALL SELECT max(shown_ts) FROM impressions
            ))
            """
        )


def measure(connection: duckdb.DuckDBPyConnection, table: str, rules: Sequence[Rule], facts: LogFacts) -> list[Finding]:
    """One finding per rule, in order. Raises duckdb.Error if the pages of the file cannot be read."""
    rows, broken = _scan(connection, table, [rule for rule in rules if isinstance(rule, RowRule)])
    findings = []
    for rule in rules:
        if isinstance(rule, QueryRule):
            count, example = _row(connection, f"SELECT count(*), min(example) FROM ({rule.query})")
        elif isinstance(rule, FactRule):
            example = rule.problem(facts)
            count = int(example is not None)
        else:
            count, example = broken[rule.title]
        findings.append(Finding(rule, count, rows, example))
    return findings


def _scan(
    connection: duckdb.DuckDBPyConnection, table: str, rules: Sequence[RowRule]
) -> tuple[int, dict[str, tuple[int, str | None]]]:
    """(rows of the table, title -> (count, example)). Examples are read only for broken rules.

    The query has FILTER instead of WHERE, because WHERE may skip row groups by their statistics, which ignore NaN.
    """
    counts = ", ".join(["count(*)", *(f"count(*) FILTER ({rule.breaks})" for rule in rules)])
    rows, *found = _row(connection, f'SELECT {counts} FROM "{table}"')
    broken: dict[str, tuple[int, str | None]] = {}
    for rule, count in zip(rules, found, strict=True):
        example = None
        if count:
            (example,) = _row(connection, f'SELECT min({shown(*rule.shows)}) FILTER ({rule.breaks}) FROM "{table}"')
        broken[rule.title] = (count, example)
    return rows, broken


def _row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] = connection.execute(query).fetchall()[0]
    return row
