"""The output of an evaluation: evaluation.json, a Markdown table, and plots.

{"dataset", "split", "sessions", "positions", "items",
 "models": {name: {"recall@K", "mrr@K", ..., "recall@20_by_position": [after 1 item, after 2, ...], "seconds"}}}
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from training.gru4rec.evaluation.next_item_metrics import Evaluation

POSITIONS_SHOWN = 10
BY_POSITION_K = 20
COLOURS = ("#0b62a4", "#c2571a", "#3b8a4d", "#8a5aa8", "#8a94a0")


def model_report(evaluation: Evaluation, ks: Sequence[int], seconds: float) -> dict[str, Any]:
    """One entry of ``models``. Undefined values are null."""
    by_position = evaluation.recall_by_position(BY_POSITION_K, POSITIONS_SHOWN)
    metrics = {name: _defined(value) for name, value in evaluation.metrics(ks).items()}
    return {
        **metrics,
        f"recall@{BY_POSITION_K}_by_position": [_defined(value) for value in by_position],
        "seconds": round(seconds, 2),
    }


def markdown_table(models: Mapping[str, Mapping[str, Any]], ks: Sequence[int]) -> str:
    """One line per model in the given order. The best value of each metric is bold."""
    metrics = [f"{kind}@{k}" for kind in ("recall", "mrr") for k in ks]
    best = {metric: max((_number(found[metric]) for found in models.values()), default=math.nan) for metric in metrics}
    lines = [_line(["model", *metrics]), _line(["---", *("---:" for _ in metrics)])]
    for name, found in models.items():
        lines.append(_line([name, *(_cell(_number(found[metric]), best[metric]) for metric in metrics)]))
    return "\n".join(lines)


def at_k(models: Mapping[str, Mapping[str, Any]], kind: str, ks: Sequence[int]) -> Figure:
    """``kind`` (recall or mrr) over K, one line per model."""
    lines = {name: [_number(found[f"{kind}@{k}"]) for k in ks] for name, found in models.items()}
    return _lines(lines, list(ks), "K", f"{kind}@K")


def by_position(models: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Recall@20 over the number of items seen, one line per model."""
    key = f"recall@{BY_POSITION_K}_by_position"
    lines = {name: [_number(value) for value in found[key]] for name, found in models.items()}
    label = f"items seen ({POSITIONS_SHOWN}: or more)"
    return _lines(lines, list(range(1, POSITIONS_SHOWN + 1)), label, f"recall@{BY_POSITION_K}")


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure atomically."""
    part = path.with_name(f".{path.stem}.part.png")
    figure.savefig(part, dpi=120)
    part.replace(path)


def save_json(body: Mapping[str, Any], path: Path) -> None:
    """Write the file atomically."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(body, indent=2, allow_nan=False) + "\n")
    part.replace(path)


def _lines(lines: Mapping[str, Sequence[float]], positions: list[int], xlabel: str, ylabel: str) -> Figure:
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    axes = figure.subplots()
    for i, (name, values) in enumerate(lines.items()):
        axes.plot(positions, values, "o-", color=COLOURS[i % len(COLOURS)], label=name, markersize=4)
    axes.set_xticks(positions)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.set_ylim(bottom=0)
    axes.grid(color="#e3e6ea", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _cell(value: float, best: float) -> str:
    if math.isnan(value):
        return "-"
    return f"**{value:.4f}**" if value == best else f"{value:.4f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
