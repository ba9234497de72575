"""Rules on one table, each with what finds its violations.

    Rule
    ├── RowRule    a predicate over one row; one scan checks all row rules of a table
    ├── QueryRule  a query for violations: groups of rows, or rows compared with another table
    └── FactRule   a judgement of a measure of the whole log (:mod:`validation.gates.facts`)

Each becomes one expectation of Great Expectations (:mod:`validation.gates.suites`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from validation.gates.facts.log_facts import LogFacts


class Severity(Enum):
    """``BLOCKING`` stops the pipeline. The values are those of Great Expectations."""

    BLOCKING = "critical"
    WARNING = "warning"

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """``text``: what must hold for ``column``. The pair is unique in a table.

    tolerated: max share of the table's rows that may break the rule, 0 to 1
    needs:     other tables that the rule reads
    advice:    what to do where it is broken, as a sentence; empty where the rule says it
    holds_promotion: training sees the same and promotes no model
    """

    table: str
    column: str
    text: str
    severity: Severity = Severity.BLOCKING
    tolerated: float = 0.0
    needs: tuple[str, ...] = ()
    advice: str = ""
    holds_promotion: bool = False

    @property
    def title(self) -> str:
        return f"{self.column}: {self.text}"


@dataclass(frozen=True, kw_only=True)
class RowRule(Rule):
    """``breaks``: SQL that is true for a row that breaks the rule. ``shows``: the columns of an example."""

    breaks: str
    shows: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class QueryRule(Rule):
    """``query``: returns one row per violation with the text column ``example`` (see :func:`shown`)."""

    query: str


@dataclass(frozen=True, kw_only=True)
class FactRule(Rule):
    """``problem``: what is wrong with the log, in numbers; None if nothing is. It counts as one violation."""

    problem: Callable[[LogFacts], str | None]


def shown(*columns: str) -> str:
    """SQL for the text ``a = 1, b = null`` of these columns, with long values cut."""
    parts = (f"""'{c} = ' || coalesce(left(CAST("{c}" AS VARCHAR), 80), 'null')""" for c in dict.fromkeys(columns))
    return " || ', ' || ".join(parts)
