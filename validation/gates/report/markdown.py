"""A report as Markdown. Plots are left out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from validation.gates.report.content import Block, Card, Kind, Link, Page, Plot, Section, Table, Text


def markdown(report: Page) -> str:
    lines = [f"# {report.title}", "", report.about, "", f"**{report.verdict}** {report.more}".rstrip(), ""]
    for section in report.sections:
        lines += _section(section)
    return "\n".join(lines)


def table_line(cells: Iterable[str]) -> str:
    """One line of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _section(section: Section) -> list[str]:
    return [f"## {section.title}", "", *(line for block in section.blocks for line in _block(block))]


def _block(block: Block) -> list[str]:
    match block:
        case Text():
            return [f"*{block.text}*" if block.kind is Kind.MISSING else block.text, ""]
        case Table():
            title = [f"{block.folded}:", ""] if block.folded else []
            header = [table_line(block.header), table_line(["---"] * len(block.header))]
            return [*title, *header, *map(table_line, block.rows), ""]
        case Plot():
            return []
        case Card():
            advice = f" What to do: {block.advice}" if block.advice else ""
            text = f"**{block.severity}** `{block.column}`: expected: {block.expected}. Found: {block.found}.{advice}"
            return [f"- {text}", ""]
        case Link():
            return [f"[{block.text}]({block.target})", ""]
    assert_never(block)
