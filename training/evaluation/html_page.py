"""What the HTML reports share: one self-contained page, tables with escaped texts, and plots inside the page.

A plot is an SVG whose colours follow the reader's light or dark mode. On a narrow screen wide tables and plots scroll.
"""

from __future__ import annotations

import base64
import io
import os
import re
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from training.evaluation.metrics_table import best_rankers, table_rows
from training.evaluation.plots import ACCENT, GRID, INK, MUTED
from training.evaluation.run_results import RankerMetrics

DARK = {INK: "#e6edf3", MUTED: "#8b949e", ACCENT: "#58a6ff", GRID: "#30363d"}
NAMES = {INK: "--ink", MUTED: "--muted", ACCENT: "--accent", GRID: "--grid"}


def _colours(dark: bool) -> str:
    return ";".join(f"{name}:{DARK[colour] if dark else colour}" for colour, name in NAMES.items())


SVG_STYLE = (
    f"<style>:root{{{_colours(False)};fill:var(--ink)}}"
    f"@media(prefers-color-scheme:dark){{:root{{{_colours(True)}}}}}</style>"
)
STYLE = f"""
:root {{ color-scheme: light dark; {_colours(False)}; --back: #ffffff; --shade: #f6f8fa }}
@media (prefers-color-scheme: dark) {{ :root {{ {_colours(True)}; --back: #0d1117; --shade: #161b22 }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: break-word }}
h1 {{ font-size: 1.6rem; margin-bottom: .2rem }} h2 {{ font-size: 1.25rem; margin-top: 2.6rem }}
h3 {{ font-size: 1rem; margin-top: 1.8rem }} a {{ color: var(--accent) }}
table {{ border-collapse: collapse; font-size: .85rem; display: block; overflow-x: auto }}
th, td {{ padding: .35rem .7rem; border-bottom: 1px solid var(--grid); text-align: right; white-space: nowrap }}
th:first-child, td:first-child {{ text-align: left }} th {{ font-weight: 600 }}
td.best {{ font-weight: 600 }} .note {{ color: var(--muted); font-size: .9rem }}
.plot {{ overflow-x: auto; margin: 1rem 0 }} .plot img {{ width: 100%;
  min-width: 34rem; max-width: 46rem; height: auto }}
.verdict {{ border-left: 4px solid var(--muted); padding: .5rem 1rem; background: var(--shade) }}
.verdict.promoted {{ border-color: var(--accent) }}
.missing {{ border-left: 4px dashed var(--muted); padding: .3rem 1rem; color: var(--muted) }}
.pair {{ display: flex; flex-wrap: wrap; gap: 0 2rem }} .pair > div {{ max-width: 100% }}
.texts td, .texts th {{ text-align: left }}
"""


def page(title: str, body: str) -> str:
    """The whole document. ``body`` is HTML."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head>\n<body>\n{body}</body></html>\n"
    )


def write_page(path: Path, text: str) -> Path:
    """Write the page atomically, and the folder if it is not there. Returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return path


def table(header: Iterable[str], rows: Iterable[Iterable[str]], *, texts: bool = False) -> str:
    """``texts``: the cells hold words rather than numbers."""
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table{' class=texts' if texts else ''}><tr>{cells('th', header)}</tr>{body}</table>\n"


def cells(tag: str, texts: Iterable[str]) -> str:
    return "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)


def rankers_table(rankers: RankerMetrics) -> str:
    """The metrics of all rankers, the best of each metric in bold."""
    header, *body = table_rows(rankers)
    best: Mapping[str, set[str]] = {metric: best_rankers(rankers, metric) for metric in header[1:]}
    rows = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(
            f"<td{' class=best' if name in best[metric] else ''}>{escape(text)}</td>"
            for metric, text in zip(header[1:], found, strict=True)
        )
        + "</tr>"
        for name, *found in body
    )
    return f"<table><tr>{cells('th', header)}</tr>{rows}</table>\n"


def image(figure: Figure, alternative: str) -> str:
    """The figure as an SVG inside the page. Equal figures give equal bytes."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "report", "font.family": "sans-serif"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = re.sub(r"^.*?(<svg )", r"\1", buffer.getvalue(), count=1, flags=re.DOTALL)
    for colour, name in NAMES.items():
        text = text.replace(colour, f"var({name})")
    text = re.sub(r"(<svg [^>]*>)", lambda found: found[1] + SVG_STYLE, text, count=1)
    data = base64.b64encode(text.encode()).decode()
    return f'<div class=plot><img alt="{escape(alternative)}" src="data:image/svg+xml;base64,{data}"></div>\n'
