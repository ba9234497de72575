"""The frame of the HTML reports: tables, plots that follow the reader's mode, and the file."""

from __future__ import annotations

import base64
import re

from training.evaluation import plots
from training.evaluation.bootstrap import Interval
from training.evaluation.html_page import image, page, rankers_table, table, write_page


def svg_of(html: str) -> str:
    found = re.search(r'src="data:image/svg\+xml;base64,([^"]*)"', html)
    assert found
    return base64.b64decode(found[1]).decode()


def test_texts_of_a_table_and_a_title_are_escaped():
    assert table(["<a>"], [["x & y"]]) == (
        "<table><tr><th>&lt;a&gt;</th></tr><tr><td>x &amp; y</td></tr></table>\n"
    )  # fmt: skip
    assert "<title>&lt;b&gt;</title>" in page("<b>", "")


def test_the_deciding_metric_is_the_first_column_and_the_best_of_each_is_marked():
    metrics = {"ndcg@10": Interval(0.1, 0.0, 0.2, 3), "recall@25": Interval(0.3, 0.2, 0.4, 3)}
    better = {"ndcg@10": Interval(0.2, 0.1, 0.3, 3), "recall@25": Interval(0.2, 0.1, 0.3, 3)}
    found = rankers_table({"a": metrics, "b": better}, "recall@25")
    assert "<th>ranker</th><th>recall@25</th><th>ndcg@10</th>" in found
    assert "<td>b</td><td>0.200 [0.100, 0.300]</td><td class=best>0.200 [0.100, 0.300]</td>" in found
    assert "<td>a</td><td class=best>0.300 [0.200, 0.400]</td><td>0.100 [0.000, 0.200]</td>" in found


def test_a_plot_has_the_colours_of_both_modes_and_none_of_its_own():
    svg = svg_of(image(plots.calibration([{"predicted": "0.1", "observed": "0.2"}]), "how well"))
    style, rest = svg.split("</style>", 1)
    assert svg.startswith("<svg ")
    assert "@media(prefers-color-scheme:dark)" in style
    for colour in (plots.INK, plots.MUTED, plots.ACCENT, plots.GRID):
        assert colour in style
        assert colour not in rest
    assert "var(--accent)" in rest
    assert ">predicted (Platt scaling" in rest  # texts are texts


def test_equal_figures_give_equal_bytes():
    rows = [{"predicted": "0.1", "observed": "0.2"}]
    assert image(plots.calibration(rows), "a") == image(plots.calibration(rows), "a")


def test_a_page_replaces_the_one_before_it_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "reports" / "x.html"
    write_page(path, "first")
    assert write_page(path, "second") == path
    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]
