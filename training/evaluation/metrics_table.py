"""The metrics of all rankers as a table: cells for the report, Markdown for the README.

``python -m training.evaluation.metrics_table`` prints the table of the last run.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from infra.command import command_settings
from training.evaluation.bootstrap import Interval
from training.evaluation.metrics import METRICS
from training.evaluation.run_results import BadRun, RankerMetrics, intervals, read_run

UNDEFINED = "-"


def metrics_table(rankers: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """:func:`markdown_table` of ``rankers`` as in metrics.json."""
    return markdown_table(intervals(rankers))


def markdown_table(rankers: RankerMetrics) -> str:
    """One line per ranker, the best NDCG@10 first. Cells are mean [95 % interval]; the best of a metric is bold."""
    header, *body = table_rows(rankers)
    best = {metric: best_rankers(rankers, metric) for metric in header[1:]}
    lines = [_line(header), _line(["---", *("---:" for _ in header[1:])])]
    for name, *cells in body:
        shown = [f"**{text}**" if name in best[m] else text for m, text in zip(header[1:], cells, strict=True)]
        lines.append(_line([name.replace("|", "\\|"), *shown]))
    return "\n".join(lines)


def table_rows(rankers: RankerMetrics, metrics: Sequence[str] = METRICS) -> list[list[str]]:
    """The header, then the rankers, the best NDCG@10 first: name and one cell per metric that any ranker has."""
    shown = [metric for metric in metrics if any(metric in found for found in rankers.values())]
    ranked = sorted(rankers, key=lambda name: _descending(rankers[name].get("ndcg@10")))
    return [["ranker", *shown], *([name, *(cell(rankers[name].get(m)) for m in shown)] for name in ranked)]


def best_rankers(rankers: RankerMetrics, metric: str) -> set[str]:
    """The rankers with the highest mean; empty if no mean is defined."""
    means = {name: found[metric].mean for name, found in rankers.items() if metric in found}
    known = {name: mean for name, mean in means.items() if not math.isnan(mean)}
    return {name for name, mean in known.items() if mean == max(known.values())}


def cell(interval: Interval | None) -> str:
    """``0.312 [0.305, 0.319]``, or a dash if undefined."""
    if interval is None or math.isnan(interval.mean):
        return UNDEFINED
    return f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _descending(interval: Interval | None) -> float:
    return math.inf if interval is None or math.isnan(interval.mean) else -interval.mean


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> int:
    settings = command_settings()
    try:
        print(markdown_table(read_run(settings.training_dir / "run").rankers))
    except BadRun as error:
        print(f"training.evaluation.metrics_table: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
