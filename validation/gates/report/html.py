"""A report as HTML: whole in itself, in the look of all reports (:mod:`infra.report_page`)."""

from __future__ import annotations

from html import escape
from typing import assert_never

from infra.report_page.page import page, table
from infra.report_page.plot import image
from validation.gates.report.content import Block, Card, Kind, Link, Page, Plot, Section, Table, Text


def html(report: Page) -> str:
    """The whole document. All texts are escaped."""
    links = "".join(f'<li><a href="#{each.anchor}">{escape(each.title)}</a></li>' for each in report.sections)
    head = (
        f"<h1>{escape(report.title)}</h1>\n<p class=note>{escape(report.about)}</p>\n"
        f'<p class="verdict {report.severity}"><strong>{escape(report.verdict)}</strong> {escape(report.more)}</p>\n'
        f"<nav aria-label=Sections><ul class=toc>{links}</ul></nav>\n"
    )
    return page(report.title, head + "".join(map(_section, report.sections)))


def _section(section: Section) -> str:
    body = "".join(map(_block, section.blocks))
    return f'<section id="{section.anchor}"><h2>{escape(section.title)}</h2>\n{body}</section>\n'


def _block(block: Block) -> str:
    match block:
        case Text():
            css = {Kind.PLAIN: "", Kind.NOTE: " class=note", Kind.MISSING: " class=missing"}[block.kind]
            return f"<p{css}>{escape(block.text)}</p>\n"
        case Table():
            body = table(block.header, block.rows, texts=block.texts)
            return f"<details><summary>{escape(block.folded)}</summary>\n{body}</details>\n" if block.folded else body
        case Plot():
            return image(block.figure, block.alternative)
        case Card():
            return _card(block)
        case Link():
            return f'<p><a href="{escape(block.target)}">{escape(block.text)}</a></p>\n'
    assert_never(block)


def _card(card: Card) -> str:
    rows = [("expected", card.expected), ("found", card.found), ("what to do", card.advice)]
    body = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in rows if text)
    return (
        f'<article class="card {card.severity}"><h3><span class=tag>{escape(card.severity)}</span> '
        f"<code>{escape(card.column)}</code></h3><dl>{body}</dl></article>\n"
    )
