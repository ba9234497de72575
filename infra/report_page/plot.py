"""Plots inside a page: SVG whose colours follow the reader's light or dark mode."""

from __future__ import annotations

import base64
import io
import re
from html import escape
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from infra.report_page.colours import GRID, INK, MUTED, NAMES, colours

WIDTH = 7.2  # inches
SVG_STYLE = (
    f"<style>:root{{{colours(False)};fill:var(--ink)}}"
    f"@media(prefers-color-scheme:dark){{:root{{{colours(True)}}}}}</style>"
)


def figure_of(height: float) -> tuple[Figure, Any]:
    """An empty figure of ``height`` inches, and its axes."""
    figure = Figure(figsize=(WIDTH, max(height, 1.6)), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.tick_params(colors=INK, labelsize=9)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def plain(name: str) -> str:
    """The name with escaped dollar signs, because matplotlib reads text between two of them as mathematics."""
    return name.replace("$", r"\$")


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
