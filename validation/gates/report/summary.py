"""The report of a gate as Markdown. Equal outcomes give equal text, so that a pipeline can compare it."""

from __future__ import annotations

from validation.gates.report.markdown import table_line
from validation.gates.report.outcome import GateReport, Outcome

SUMMARY_FILE = "summary.md"
HEADER = ("table", "column", "expectation", "severity", "result", "unexpected", "example")


def summary(report: GateReport) -> str:
    counts = {word: sum(o.word == word for o in report.outcomes) for word in ("pass", "FAIL", "not checked")}
    lines = [
        f"# Validation of {report.dataset}: {report.gate}",
        "",
        "**blocked**: a blocking expectation failed."
        if report.blocked
        else "**passed**: no blocking expectation failed.",
        "",
        f"{counts['pass']} passed, {counts['FAIL']} failed, {counts['not checked']} not checked. "
        "Failures come first. The [report](report.html) shows what they mean, the [Data Docs](index.html) all suites.",
        "",
        table_line(HEADER),
        table_line(("---",) * len(HEADER)),
        *(table_line(_cells(outcome)) for outcome in report.ordered()),
    ]
    return "\n".join(lines) + "\n"


def _cells(outcome: Outcome) -> tuple[str, ...]:
    rule = outcome.rule
    count = "" if outcome.success is None else str(outcome.unexpected)
    return rule.table, rule.column, rule.text, rule.severity.word, outcome.word, count, outcome.example or ""
