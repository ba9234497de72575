"""One self-contained HTML page, and tables with escaped texts. On a narrow screen wide tables and plots scroll."""

from __future__ import annotations

import os
from collections.abc import Iterable
from html import escape
from pathlib import Path

from infra.report_page.colours import colours

STYLE = f"""
:root {{ color-scheme: light dark; {colours(False)}; --soft: #57606a; --back: #ffffff; --shade: #f6f8fa;
  --bad: #b42318; --warn: #9a6700; --good: #1a7f37 }}
@media (prefers-color-scheme: dark) {{
  :root {{ {colours(True)}; --soft: #9da7b3; --back: #0d1117; --shade: #161b22;
    --bad: #ff7b72; --warn: #d29922; --good: #3fb950 }}
}}
body {{ font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: break-word }}
h1 {{ font-size: 1.6rem; margin-bottom: .2rem }} h2 {{ font-size: 1.25rem; margin-top: 2.6rem }}
h3 {{ font-size: 1rem; margin-top: 1.8rem }} a {{ color: var(--accent) }}
table {{ border-collapse: collapse; font-size: .85rem; display: block; overflow-x: auto; margin: 1rem 0 }}
th, td {{ padding: .35rem .7rem; border-bottom: 1px solid var(--grid); text-align: right; white-space: nowrap }}
th:first-child, td:first-child {{ text-align: left }} th {{ font-weight: 600 }}
td.best {{ font-weight: 600 }} .note {{ color: var(--soft); font-size: .9rem }}
.plot {{ overflow-x: auto; margin: 1rem 0 }}
.plot img {{ width: 100%; min-width: 34rem; max-width: 46rem; height: auto }}
.verdict {{ border-left: 4px solid var(--muted); padding: .5rem 1rem; background: var(--shade) }}
.verdict.promoted {{ border-color: var(--accent) }}
.missing {{ border-left: 4px dashed var(--muted); padding: .3rem 1rem; color: var(--soft) }}
.pair {{ display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 0 1rem }}
@media (max-width: 50rem) {{ .pair {{ grid-template-columns: minmax(0, 1fr) }} }}
.pair table {{ font-size: .78rem }} .pair th, .pair td {{ padding: .2rem .4rem }}
.texts td, .texts th {{ text-align: left }} .texts td {{ vertical-align: top }}
.texts td:not(:first-child) {{ white-space: normal }}
.verdict.blocking {{ border-color: var(--bad) }} .verdict.warning {{ border-color: var(--warn) }}
.verdict.passed {{ border-color: var(--good) }}
.card {{ border: 1px solid var(--grid); border-left: 4px solid var(--warn); border-radius: 4px; margin: 1rem 0;
  padding: .7rem 1rem; background: var(--shade) }} .card.blocking {{ border-left-color: var(--bad) }}
.card h3 {{ margin: 0 0 .4rem }} .card dl {{ display: grid; grid-template-columns: 6.5rem minmax(0, 1fr);
  gap: .2rem 1rem; margin: 0; font-size: .9rem }} .card dt {{ color: var(--soft) }} .card dd {{ margin: 0 }}
.card .tag {{ color: var(--warn) }} .card.blocking .tag {{ color: var(--bad) }}
.toc {{ display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0; list-style: none; font-size: .9rem }}
summary {{ cursor: pointer; color: var(--accent); margin: .6rem 0 }}
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
