"""Rules: what must hold of one table, each with the SQL that finds the rows that break it.

    Rule
    ├── RowRule    a predicate over one row; all of a table's are measured in one scan
    └── QueryRule  a query for offenders: groups of rows, or rows compared with another table

Each becomes one Great Expectations expectation (:mod:`validation.gates.suites`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """``BLOCKING`` stops the pipeline; the values are Great Expectations' own."""

    BLOCKING = "critical"
    WARNING = "warning"

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """``text`` says what must hold of ``column``; ``column`` with ``text`` is unique in a table.

    tolerated: largest share of the table's rows that may break it, 0 to 1
    needs:     other tables that the SQL reads
    """

    table: str
    column: str
    text: str
    severity: Severity = Severity.BLOCKING
    tolerated: float = 0.0
    needs: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.column}: {self.text}"


@dataclass(frozen=True, kw_only=True)
class RowRule(Rule):
    """``breaks`` is SQL, true for a row that breaks the rule; ``shows`` are the columns of an example."""

    breaks: str
    shows: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class QueryRule(Rule):
    """``query`` yields one row per offender with the text column ``example`` (see :func:`shown`)."""

    query: str


def shown(*columns: str) -> str:
    """SQL for the text ``a = 1, b = null`` of these columns, long values cut."""
    parts = (f"""'{c} = ' || coalesce(left(CAST("{c}" AS VARCHAR), 80), 'null')""" for c in dict.fromkeys(columns))
    return " || ', ' || ".join(parts)
