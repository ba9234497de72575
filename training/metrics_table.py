"""The metrics of every ranker as one table: cells for the report, Markdown for the README.

``python -m training.metrics_table`` prints the last run's.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence

from infra.settings import Settings
from training.bootstrap import Interval
from training.metrics import METRICS
from training.run_results import BadRun, RankerMetrics, read_run


def cell(interval: Interval) -> str:
    """``0.3120 [0.3050, 0.3190]``, or a dash where undefined."""
    if math.isnan(interval.mean):
        return "–"
    return f"{interval.mean:.4f} [{interval.low:.4f}, {interval.high:.4f}]"


def table_rows(rankers: RankerMetrics, metrics: Sequence[str] = METRICS) -> list[list[str]]:
    """The header, then per ranker, in the given order, its name and a cell per metric."""
    shown = [metric for metric in metrics if any(metric in found for found in rankers.values())]
    rows = [["ranker", *shown]]
    for name in rankers:
        rows.append([name, *(cell(rankers[name][m]) if m in rankers[name] else "–" for m in shown)])
    return rows


def best_rankers(rankers: RankerMetrics, metric: str) -> set[str]:
    """The rankers with the highest mean; empty where none is defined."""
    means = {name: found[metric].mean for name, found in rankers.items() if metric in found}
    known = {name: mean for name, mean in means.items() if not math.isnan(mean)}
    return {name for name, mean in known.items() if mean == max(known.values())}


def markdown_table(rankers: Mapping[str, Mapping[str, Interval]], metrics: Sequence[str] = METRICS) -> str:
    """A Markdown table, the best mean of each metric in bold; means over slates with 95 % intervals."""
    header, *body = table_rows(rankers, metrics)
    lines = [_line(header), _line(["---", *("---:" for _ in header[1:])])]
    best = {metric: best_rankers(rankers, metric) for metric in header[1:]}
    for name, *cells in body:
        bold = [f"**{c}**" if name in best[m] else c for m, c in zip(header[1:], cells, strict=True)]
        lines.append(_line([name.replace("|", "\\|"), *bold]))
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> int:
    settings = Settings()
    try:
        print(markdown_table(read_run(settings.training_dir / "run").rankers), end="")
    except BadRun as error:
        print(f"training.metrics_table: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
