"""Rules as suites of Great Expectations, and the small frames that they run on.

Tables of millions of rows are not loaded into pandas. DuckDB counts the rows of the whole table that break each rule
(:mod:`validation.gates.rule_evaluation`). Each table has two suites, and each runs on a frame of one row:

    <table> schema  one column per column of the file; its value is the Arrow type that was found
    <table> rows    one column per rule (``price: at least 0``); its value is the number of violations, or their share
                    if the rule tolerates some

Both suites use expectations on an aggregate, because these show the value that was found and take a third of the time
of expectations on single values. In one row the most common value and the maximum are the value itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from validation.gates.gx import gxe
from validation.gates.rule_evaluation import Finding
from validation.gates.rules.rule import Rule, Severity
from validation.gates.rules.table_file import AS_DECLARED, EXTRA, FILE, NONE, ORDER, READABLE, SchemaFacts, TableFile


def schema_rule(file: TableFile, column: str, declared: str) -> Rule:
    severity = Severity.WARNING if column == EXTRA else Severity.BLOCKING
    return Rule(table=file.name, column=column, text=f"is {declared}", severity=severity)


def schema_rules_of(file: TableFile, facts: SchemaFacts) -> list[tuple[Rule, str]]:
    """(rule, declared value) for the file and, if it can be read, for its columns, their order and extra columns."""
    declared = {FILE: READABLE}
    if facts.readable:
        declared |= {column.name: str(column.dtype.arrow) for column in file.columns}
        declared |= {ORDER: AS_DECLARED, EXTRA: NONE}
    return [(schema_rule(file, column, value), value) for column, value in declared.items()]


def schema_expectations(rules: Sequence[tuple[Rule, str]]) -> list[Any]:
    return [
        gxe.ExpectColumnMostCommonValueToBeInSet(column=rule.column, value_set=[declared], **_about(rule))
        for rule, declared in rules
    ]


def schema_frame(facts: SchemaFacts) -> pd.DataFrame:
    """(1, columns) of strings."""
    return pd.DataFrame({column: [value] for column, value in facts.values.items()})


def row_expectations(rules: Sequence[Rule]) -> list[Any]:
    return [
        gxe.ExpectColumnMaxToBeBetween(column=rule.title, max_value=rule.tolerated, **_about(rule)) for rule in rules
    ]


def row_frame(findings: Sequence[Finding]) -> pd.DataFrame:
    """(1, rules) of counts, or of shares if the rule tolerates some violations."""
    cells = {f.rule.title: [f.share if f.rule.tolerated else f.unexpected] for f in findings}
    return pd.DataFrame(cells)


def _about(rule: Rule) -> dict[str, Any]:
    return {
        "severity": rule.severity.value,
        "description": f"{rule.title} [{rule.severity.word}]",
        "meta": {"table": rule.table, "column": rule.column, "rule": rule.text},
    }
