"""The plots of the experiments page. Each function takes figures and returns a matplotlib figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
from matplotlib.figure import Figure

from infra.report_page.charts import bars, by_day, date_axis, with_others
from infra.report_page.colours import ACCENT, INK, MUTED
from infra.report_page.plot import figure_of, plain
from training.evaluation.bootstrap import Interval
from training.report.log_facts import LogFacts


def events_per_day(facts: LogFacts) -> Figure:
    """One line per frequent action; the rest in one."""
    series = {
        action: {day: counts.get(action, 0) for day, counts in facts.daily.items()} for action, _, _ in facts.actions
    }
    return by_day(with_others(series), "events per UTC day")


def history_lengths(histories: Sequence[tuple[int, int]]) -> Figure:
    """Users by the number of their events; each bar covers twice the numbers of the one before."""
    labels = [str(low) if low == 1 else f"{low:,}-{2 * low - 1:,}" for low, _ in histories]
    return bars(labels, [users for _, users in histories], "events of a user", "users")


def repeat_shares(repeats: Mapping[date, tuple[int, int]]) -> Figure:
    """By week: the share of orders that are of an item that the user had ordered before."""
    figure, axes = figure_of(2.8)
    weeks = sorted(repeats)
    axes.plot(weeks, [repeats[week][1] / repeats[week][0] for week in weeks], color=ACCENT, marker=".", linewidth=1.2)
    axes.set_ylim(0, 1)
    axes.set_ylabel("share of orders")
    date_axis(axes)
    return figure


def worths(rows: Mapping[str, Interval], metric: str) -> Figure:
    """What each part is worth, with its interval: in colour where it lies on one side of 0."""
    figure, axes = figure_of(0.34 * len(rows) + 1.0)
    for y, interval in enumerate(reversed(list(rows.values()))):
        colour = ACCENT if interval.low > 0 or interval.high < 0 else MUTED
        axes.plot([interval.low, interval.high], [y, y], color=colour, linewidth=2, solid_capstyle="butt")
        axes.plot(interval.mean, y, "o", color=colour, markersize=6)
    axes.axvline(0, color=INK, linestyle=":", linewidth=1)
    axes.set_yticks(range(len(rows)), [plain(name) for name in reversed(list(rows))])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel(f"{metric} with it minus {metric} without it, 95 % interval")
    axes.grid(axis="y", visible=False)
    return figure


def tuning_history(complete: Sequence[tuple[int, float]], pruned: Sequence[tuple[int, float]], metric: str) -> Figure:
    """(trial, metric) of finished trials and of pruned ones at their last round, and the best so far."""
    figure, axes = figure_of(3.0)
    if pruned:
        axes.plot(*zip(*pruned, strict=True), "x", color=MUTED, label="pruned, at its last round")
    axes.plot(*zip(*complete, strict=True), "o", color=ACCENT, markersize=4, label="finished")
    best = np.maximum.accumulate([value for _, value in complete])
    axes.step([trial for trial, _ in complete], best, where="post", color=INK, linewidth=1, label="best so far")
    axes.set_xlabel("trial")
    axes.set_ylabel(metric)
    axes.legend(frameon=False, fontsize=9)
    return figure
