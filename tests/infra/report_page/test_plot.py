"""Plots inside a page: they follow the reader's mode, and equal figures give equal bytes."""

from __future__ import annotations

import base64
import re

from matplotlib.figure import Figure

from infra.report_page.colours import ACCENT, GRID, INK, MUTED
from infra.report_page.plot import figure_of, image, plain


def svg_of(html: str) -> str:
    found = re.search(r'src="data:image/svg\+xml;base64,([^"]*)"', html)
    assert found
    return base64.b64decode(found[1]).decode()


def line() -> Figure:
    figure, axes = figure_of(3.0)
    axes.plot([0, 1], [0, 1], color=ACCENT)
    axes.set_xlabel(plain("paid in $, not in $"))
    return figure


def test_a_plot_has_the_colours_of_both_modes_and_none_of_its_own():
    svg = svg_of(image(line(), "how well"))
    style, rest = svg.split("</style>", 1)
    assert svg.startswith("<svg ")
    assert "@media(prefers-color-scheme:dark)" in style
    for colour in (INK, MUTED, ACCENT, GRID):
        assert colour in style
        assert colour not in rest
    assert "var(--accent)" in rest
    assert ">paid in $, not in $<" in rest  # texts are texts


def test_equal_figures_give_equal_bytes():
    assert image(line(), "a") == image(line(), "a")
