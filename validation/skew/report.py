"""The findings of an audit as Markdown and as one self-contained page."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path

from infra.report_page.page import page as whole_page
from infra.report_page.page import table
from validation.skew.comparison import NAMES, UNEXPLAINED
from validation.skew.findings import Example, FeatureFindings, Findings

MARKDOWN, PAGE = "skew.md", "index.html"
HEADER = ("feature", "source", "compared", "equal", "different", "unexplained", "causes")
EXAMPLE_HEADER = ("feature", "cause", "request", "item", "online", "offline")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOTE = (
    "A difference is explained only if its cause, applied to the offline values, gives the online value bit for bit. "
    f"The causes {', '.join(sorted(UNEXPLAINED))} count as unexplained, because serving and training disagree."
)


def write_report(findings: Findings, folder: Path) -> Path:
    """Write both files, each atomically. Returns the path of the Markdown. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in ((PAGE, page(findings)), (MARKDOWN, markdown(findings))):
        partial = folder / f".{name}.{os.getpid()}.part"
        partial.write_text(text, encoding="utf-8")
        partial.replace(folder / name)
    return folder / MARKDOWN


def headline(findings: Findings) -> str:
    return (
        f"{findings.requests:,} requests, {findings.compared:,} values: {findings.different:,} differ, "
        f"{findings.unexplained:,} of them unexplained"
    )


def markdown(findings: Findings) -> str:
    lines = [
        f"# Skew audit of {findings.dataset}",
        "",
        f"**{headline(findings)}.**",
        "",
        _scope(findings),
        "",
        NOTE,
        "",
    ]
    for title, header, rows in _tables(findings):
        lines += [f"## {title}", "", _line(header), _line(["---"] * len(header)), *map(_line, rows), ""]
    return "\n".join(lines)


def page(findings: Findings) -> str:
    title = f"Skew audit of {findings.dataset}"
    tables = "".join(
        f"<h2>{escape(name)}</h2>\n{table(header, rows, texts=True)}" for name, header, rows in _tables(findings)
    )
    severity = "blocking" if findings.unexplained else "passed"
    return whole_page(
        title,
        f"<h1>{escape(title)}</h1>\n"
        f'<p class="verdict {severity}"><strong>{escape(headline(findings))}.</strong>'
        f"<br><span class=note>{escape(_scope(findings))}</span></p>\n<p class=note>{escape(NOTE)}</p>\n{tables}",
    )


def _tables(findings: Findings) -> list[tuple[str, Sequence[str], list[Sequence[str]]]]:
    causes = findings.causes
    return [
        ("By cause", ("cause", "values"), [(name, f"{causes[name]:,}") for name in NAMES if causes[name]]),
        ("By feature", HEADER, [_row(feature) for feature in _worst_first(findings)]),
        ("Examples", EXAMPLE_HEADER, [_example(*row) for row in _examples(findings)]),
    ]


def _worst_first(findings: Findings) -> list[FeatureFindings]:
    return sorted(findings.features, key=lambda feature: (-feature.unexplained, -feature.different))


def _row(found: FeatureFindings) -> Sequence[str]:
    causes = ", ".join(f"{name} {found.causes[name]:,}" for name in NAMES if found.causes[name])
    counts = (found.compared, found.equal, found.different, found.unexplained)
    return (found.feature.name, found.feature.source, *(f"{count:,}" for count in counts), causes)


def _examples(findings: Findings) -> Iterable[tuple[FeatureFindings, str, Example]]:
    for name in sorted(NAMES, key=lambda name: name not in UNEXPLAINED):
        for found in findings.features:
            if name in found.examples:
                yield found, name, found.examples[name]


def _example(found: FeatureFindings, cause: str, example: Example) -> Sequence[str]:
    values = (repr(example.online), repr(example.offline))
    return (found.feature.name, cause, example.request_id, example.item_id, *values)


def _scope(findings: Findings) -> str:
    first, last = (
        (EPOCH + timedelta(microseconds=timestamp or 0)).isoformat()
        for timestamp in (findings.first_us, findings.last_us)
    )
    skipped = f" {findings.skipped:,} requests with another contract were left out." if findings.skipped else ""
    return f"Scored from {first} to {last}.{skipped}"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
