"""The page of a gate: the verdict, failures first, then warnings, then what a gate has to say about the data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from infra.report_page.page import write_page
from validation.gates.report.content import Block, Card, Kind, Link, Page, Section, Table, Text
from validation.gates.report.html import html
from validation.gates.report.markdown import markdown
from validation.gates.report.outcome import GateReport, Outcome
from validation.gates.report.summary import SUMMARY_FILE
from validation.gates.rules.rule import Severity

PAGE_FILE, MARKDOWN_FILE = "report.html", "report.md"
HEADER = ("table", "column", "expected", "severity")
DATA_DOCS = Link("index.html", "Great Expectations' Data Docs: the same rules as suites (their style needs a network)")
SUMMARY = Link(SUMMARY_FILE, "All rules as Markdown")
ABOUT = {
    "log": "The canonical log of {dataset}: what was imported, whether its tables fit together, and whether a model "
    "can learn from it.",
    "live": "What was accepted live for {dataset}: events and changes of items. What breaks a rule is set aside.",
    "features": "The feature tables of {dataset}, compared with the log and the live events that they were built from.",
    "training_set": "The training set of {dataset}, compared with the slates of its log.",
}
TITLES = {"log": "Import report", "live": "Live data", "features": "Features", "training_set": "Training set"}


def write_pages(folder: Path, report: GateReport, about_data: Sequence[Section]) -> None:
    """Write the page, and the same as Markdown if the gate has something to say about the data."""
    content = gate_page(report, about_data)
    write_page(folder / PAGE_FILE, html(content))
    if about_data:
        (folder / MARKDOWN_FILE).write_text(markdown(content), encoding="utf-8")


def gate_page(report: GateReport, about_data: Sequence[Section]) -> Page:
    severity, verdict, more = _verdict(report)
    return Page(
        title=f"{TITLES[report.gate]}: {report.dataset}",
        about=ABOUT[report.gate].format(dataset=report.dataset),
        severity=severity,
        verdict=verdict,
        more=more,
        sections=[*_problems(report), *about_data, _checks(report)],
    )


def _verdict(report: GateReport) -> tuple[str, str, str]:
    """(severity, sentence, what follows from it)."""
    blocking = sum(outcome.blocks and outcome.success is False for outcome in report.outcomes)
    warnings = sum(outcome.rule.severity is Severity.WARNING for outcome in report.failures)
    noted = f"{_count(warnings, 'warning')} below. " if warnings else ""
    if report.blocked:
        broken = _count(blocking, "rule that must hold does not", "rules that must hold do not")
        return "blocking", "Blocked.", f"{broken}. The pipeline stops here until that is mended. {noted}".rstrip()
    if report.holds_promotion:
        more = f"The pipeline goes on, and training will promote no model on this data. {noted}"
        return "blocking", "Passed, but held back.", more.rstrip()
    if warnings:
        return "warning", f"Passed, with {_count(warnings, 'warning')}.", "The pipeline goes on."
    return "passed", "Passed.", f"All {len(report.outcomes):,} rules hold."


def _problems(report: GateReport) -> list[Section]:
    sections = []
    for severity, title in ((Severity.BLOCKING, "What is wrong"), (Severity.WARNING, "Warnings")):
        cards = [_card(outcome) for outcome in report.failures if outcome.rule.severity is severity]
        if cards:
            sections.append(Section(severity.word, title, cards))
    return sections


def _card(outcome: Outcome) -> Card:
    rule = outcome.rule
    return Card(rule.severity.word, f"{rule.table}.{rule.column}", rule.text, outcome.found, rule.advice)


def _checks(report: GateReport) -> Section:
    unknown = [outcome for outcome in report.outcomes if outcome.success is None]
    passed = [outcome for outcome in report.outcomes if outcome.success]
    blocks: list[Block] = []
    if unknown:
        text = f"{_count(len(unknown), 'rule')} could not be checked: a table that is read there is not as it must be."
        blocks.append(Text(text, Kind.MISSING))
        blocks.append(Table(HEADER, [_row(outcome) for outcome in unknown], texts=True))
    if passed:
        title = f"{_count(len(passed), 'rule')} that {'hold' if len(passed) > 1 else 'holds'}"
        blocks.append(Table(HEADER, [_row(outcome) for outcome in passed], texts=True, folded=title))
    blocks.append(
        Link("index.html", "Great Expectations' Data Docs: the same rules as suites (their style needs a network)")
    )
    blocks.append(Link(SUMMARY_FILE, "All rules as Markdown"))
    return Section("checks", "All checks", blocks)


def _row(outcome: Outcome) -> tuple[str, ...]:
    rule = outcome.rule
    return rule.table, rule.column, rule.text, rule.severity.word


def _count(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"
