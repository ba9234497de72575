"""Plots of a training run: data in, a matplotlib figure out. Nothing is shown, saved or kept open."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from training.bootstrap import Interval
from training.run_results import Columns, RankerMetrics

INK, MUTED, ACCENT, GRID = "#24292f", "#8a94a0", "#0b62a4", "#e3e6ea"
WIDTH = 7.2  # inches
IMPORTANCE_SHOWN = 25


def importance_bars(importance: Sequence[tuple[str, float, float]]) -> Figure:
    """``importance``: (feature, gain, split), largest gain first; the first 25 are drawn as shares of all gain."""
    shown = list(importance)[:IMPORTANCE_SHOWN][::-1]
    total = sum(gain for _, gain, _ in importance) or 1.0
    figure, axes = _figure(0.24 * len(shown) + 1.0)
    axes.barh([_plain(name) for name, _, _ in shown], [gain / total for _, gain, _ in shown], color=ACCENT, height=0.7)
    axes.set_xlabel("share of the total gain")
    axes.grid(axis="y", visible=False)
    return figure


def learning_curve(curve: Columns) -> Figure:
    """NDCG@10 by boosting iteration, with the iteration that is best on validation."""
    figure, axes = _figure(3.4)
    iteration, validation = curve["iteration"], curve["validation_ndcg10"]
    axes.plot(iteration, curve["train_ndcg10"], color=MUTED, label="train")
    axes.plot(iteration, validation, color=ACCENT, label="validation")
    if len(validation) and not np.isnan(validation).all():
        best = int(np.nanargmax(validation))
        axes.plot(iteration[best], validation[best], "o", color=ACCENT, label=f"best: {iteration[best]:.0f}")
    axes.set_xlabel("iteration")
    axes.set_ylabel("NDCG@10")
    axes.legend(frameon=False)
    return figure


def calibration(bins: Columns) -> Figure:
    """Observed share of positives by bin of the score; the larger the dot, the more rows."""
    figure, axes = _figure(3.4)
    largest = float(np.nanmax(bins["rows"])) if len(bins["rows"]) else 1.0
    axes.plot(bins["predicted"], bins["observed"], color=GRID, zorder=1)
    axes.scatter(bins["predicted"], bins["observed"], s=12 + 90 * bins["rows"] / largest, color=ACCENT, zorder=2)
    axes.set_xlabel("score (mean of the bin)")
    axes.set_ylabel("share of positives")
    axes.set_ylim(bottom=0)
    return figure


def metric_intervals(rankers: RankerMetrics, metric: str, highlighted: Sequence[str] = ()) -> Figure:
    """Mean and 95 % interval of one metric for each ranker, best on top, the ``highlighted`` ones in colour."""
    return _intervals({n: found[metric] for n, found in rankers.items() if metric in found}, metric, highlighted, True)


def slice_intervals(slices: RankerMetrics, metric: str = "ndcg@10") -> Figure:
    """Mean and 95 % interval of one metric for each slice, in the given order, with its slates."""
    found = {f"{name} ({m[metric].slates:,})": m[metric] for name, m in slices.items() if metric in m}
    return _intervals(found, metric, tuple(found), False)


def _intervals(rows: Mapping[str, Interval], metric: str, highlighted: Sequence[str], best_first: bool) -> Figure:
    known = [(name, interval) for name, interval in rows.items() if not math.isnan(interval.mean)]
    if best_first:
        known.sort(key=lambda row: -row[1].mean)
    known.reverse()  # the axis runs upwards
    figure, axes = _figure(0.34 * len(known) + 1.0)
    for y, (name, interval) in enumerate(known):
        colour = ACCENT if name in highlighted else MUTED
        axes.plot([interval.low, interval.high], [y, y], color=colour, linewidth=2, solid_capstyle="butt")
        axes.plot(interval.mean, y, "o", color=colour, markersize=6)
    axes.set_yticks(range(len(known)), [_plain(name) for name, _ in known])
    axes.set_ylim(-0.6, len(known) - 0.4)
    axes.set_xlabel(f"{metric.upper()}, mean over slates with 95 % interval")
    axes.grid(axis="y", visible=False)
    return figure


def _figure(height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(WIDTH, max(height, 1.6)), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.tick_params(colors=INK, labelsize=9)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _plain(name: str) -> str:
    """Names are text: matplotlib would read what stands between two dollar signs as mathematics."""
    return name.replace("$", r"\$")
