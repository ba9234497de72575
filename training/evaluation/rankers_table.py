"""The rankers' metrics as a table of a page."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from infra.report_page.page import cells
from training.evaluation.metrics import METRICS
from training.evaluation.metrics_table import best_rankers, table_rows
from training.evaluation.run_results import RankerMetrics


def rankers_table(rankers: RankerMetrics, deciding: str = METRICS[0]) -> str:
    """The metrics of all rankers, the ``deciding`` one first, the best of each metric in bold."""
    header, *body = table_rows(rankers, (deciding, *(metric for metric in METRICS if metric != deciding)))
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
