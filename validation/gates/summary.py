"""The gate's report as Markdown: the same text for the same outcomes, so that a pipeline can compare it."""

from __future__ import annotations

from validation.gates.outcome import GateReport, Outcome

SUMMARY_FILE = "summary.md"
HEADER = ("table", "column", "expectation", "severity", "result", "unexpected", "example")


def summary(report: GateReport) -> str:
    counts = {word: sum(o.word == word for o in report.outcomes) for word in ("pass", "FAIL", "not judged")}
    lines = [
        f"# Validation of {report.dataset}: {report.gate}",
        "",
        "**blocked**: a blocking expectation failed." if report.blocked else "**passed**: nothing blocks.",
        "",
        f"{counts['pass']} passed, {counts['FAIL']} failed, {counts['not judged']} not judged. "
        "Failures come first; [Data Docs](index.html) show every suite.",
        "",
        _line(HEADER),
        _line(("---",) * len(HEADER)),
        *(_line(_cells(outcome)) for outcome in report.ordered()),
    ]
    return "\n".join(lines) + "\n"


def _cells(outcome: Outcome) -> tuple[str, ...]:
    rule = outcome.rule
    count = "" if outcome.success is None else str(outcome.unexpected)
    return rule.table, rule.column, rule.text, rule.severity.word, outcome.word, count, outcome.example or ""


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
