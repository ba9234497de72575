"""Plots of a training run. Each function takes data and returns a matplotlib figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from infra.report_page.colours import ACCENT, INK, MUTED
from infra.report_page.plot import figure_of, plain
from training.evaluation.bootstrap import Interval
from training.evaluation.run_results import RankerMetrics, Rows

IMPORTANCE_SHOWN = 25


def importance(rows: Rows) -> Figure:
    """``rows`` of importance.csv. Shows the 25 features with the highest gain, as shares of the total gain.

    A category is named as one.
    """
    gains = {_named(row): float(row["gain"]) for row in rows}
    total = sum(gains.values()) or 1.0
    shown = sorted(gains, key=lambda name: (-gains[name], name))[:IMPORTANCE_SHOWN][
        ::-1
    ]  # the first bar is at the bottom
    figure, axes = figure_of(0.24 * len(shown) + 1.0)
    axes.barh([plain(name) for name in shown], [gains[name] / total for name in shown], color=ACCENT, height=0.7)
    axes.set_xlabel("share of the total gain")
    axes.grid(axis="y", visible=False)
    return figure


def _named(row: Mapping[str, str]) -> str:
    levels = row.get("levels", "")
    return f"{row['feature']} (category, {levels} levels)" if levels else row["feature"]


def learning_curve(rows: Rows, best_round: int) -> Figure:
    """``rows`` of learning_curve.csv. Shows NDCG@10 by boosting round, and the best round."""
    figure, axes = figure_of(3.4)
    for split, colour in (("train", MUTED), ("validation", ACCENT)):
        axes.plot(_numbers(rows, "iteration"), _numbers(rows, f"{split}_metric"), color=colour, label=split)
    axes.axvline(best_round, color=INK, linestyle=":", linewidth=1, label=f"best: {best_round}")
    axes.set_xlabel("boosting round")
    axes.set_ylabel("NDCG@10")
    axes.legend(frameon=False)
    return figure


def calibration(
    rows: Rows,
    predicted_label: str = "predicted (Platt scaling fitted on validation)",
    observed_label: str = "observed share of positives in test",
) -> Figure:
    """``rows`` of calibration.csv. Shows the observed share of positives over the predicted; the diagonal is ideal."""
    figure, axes = figure_of(3.4)
    predicted, observed = _numbers(rows, "predicted"), _numbers(rows, "observed")
    limit = max((*predicted, *observed), default=1.0)
    axes.plot([0, limit], [0, limit], color=MUTED, linestyle=":")
    axes.plot(predicted, observed, "o-", color=ACCENT)
    axes.set_xlabel(predicted_label)
    axes.set_ylabel(observed_label)
    return figure


def metric_intervals(rankers: RankerMetrics, metric: str, highlighted: Sequence[str] = ()) -> Figure:
    """Mean and 95 % interval of one metric for each ranker, the best on top, the ``highlighted`` ones in colour."""
    return _intervals({n: found[metric] for n, found in rankers.items() if metric in found}, metric, highlighted, True)


def slice_intervals(slices: RankerMetrics) -> Figure:
    """Mean and 95 % interval of the slices' metric, in the given order, with the number of values of each mean."""
    metric = next((metric for found in slices.values() for metric in found), "")
    rows = {f"{name} ({found[metric].slates:,})": found[metric] for name, found in slices.items() if metric in found}
    return _intervals(rows, metric, tuple(rows), False)


def _intervals(rows: Mapping[str, Interval], metric: str, highlighted: Sequence[str], best_first: bool) -> Figure:
    known = [(name, interval) for name, interval in rows.items() if not math.isnan(interval.mean)]
    if best_first:
        known.sort(key=lambda row: -row[1].mean)
    known.reverse()  # the first row is at the bottom
    figure, axes = figure_of(0.34 * len(known) + 1.0)
    for y, (name, interval) in enumerate(known):
        colour = ACCENT if name in highlighted else MUTED
        axes.plot([interval.low, interval.high], [y, y], color=colour, linewidth=2, solid_capstyle="butt")
        axes.plot(interval.mean, y, "o", color=colour, markersize=6)
    axes.set_yticks(range(len(known)), [plain(name) for name, _ in known])
    axes.set_ylim(-0.6, len(known) - 0.4)
    axes.set_xlabel(f"{metric}, mean with its 95 % interval")
    axes.grid(axis="y", visible=False)
    return figure


def _numbers(rows: Rows, column: str) -> list[float]:
    return [float(row[column]) for row in rows]
