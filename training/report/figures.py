"""The plots of the experiments page. Each function takes figures and returns a matplotlib figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from infra.report_page.colours import ACCENT, INK, MUTED
from infra.report_page.plot import figure_of, plain
from training.evaluation.bootstrap import Interval
from training.report.log_facts import LogFacts

LINES = ((ACCENT, "-"), (INK, "-"), (MUTED, "-"), (ACCENT, ":"), (INK, ":"))  # colour and style, the first first
OTHERS = "others"


def events_per_day(facts: LogFacts) -> Figure:
    """One line per frequent action; the rest in one."""
    named = [action for action, _, _ in facts.actions]
    if len(named) > len(LINES):
        named = [*named[: len(LINES) - 1], OTHERS]
    figure, axes = figure_of(3.2)
    first = min(facts.daily)
    days = [first + timedelta(days=n) for n in range((max(facts.daily) - first).days + 1)]
    for action, (colour, style) in zip(named, LINES, strict=False):
        counts = [_of_action(facts.daily.get(day, {}), action, named) for day in days]
        axes.plot(
            days,
            counts,
            color=colour,
            linestyle=style,
            linewidth=1.2,
            label=action,
            marker="." if len(days) < 3 else "",
        )
    axes.set_ylim(bottom=0)
    axes.set_ylabel("events per UTC day")
    _dates(axes)
    axes.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(named))
    return figure


def history_lengths(histories: Sequence[tuple[int, int]]) -> Figure:
    """Users by the number of their events; each bar covers twice the numbers of the one before."""
    figure, axes = figure_of(2.8)
    labels = [str(low) if low == 1 else f"{low:,}-{2 * low - 1:,}" for low, _ in histories]
    axes.bar(range(len(histories)), [users for _, users in histories], color=ACCENT, width=0.8)
    axes.set_xticks(range(len(histories)), labels, rotation=30, ha="right")
    axes.set_xlabel("events of a user")
    axes.set_ylabel("users")
    axes.grid(axis="x", visible=False)
    return figure


def repeat_shares(repeats: Mapping[date, tuple[int, int]]) -> Figure:
    """By week: the share of orders that are of an item that the user had ordered before."""
    figure, axes = figure_of(2.8)
    weeks = sorted(repeats)
    axes.plot(weeks, [repeats[week][1] / repeats[week][0] for week in weeks], color=ACCENT, marker=".", linewidth=1.2)
    axes.set_ylim(0, 1)
    axes.set_ylabel("share of orders")
    _dates(axes)
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


def _of_action(counts: Mapping[str, int], action: str, named: Sequence[str]) -> int:
    if action != OTHERS:
        return counts.get(action, 0)
    return sum(count for name, count in counts.items() if name not in named)


def _dates(axes: object) -> None:
    locator = AutoDateLocator(minticks=3, maxticks=8)
    axis = axes.xaxis  # type: ignore[attr-defined]
    axis.set_major_locator(locator)
    axis.set_major_formatter(ConciseDateFormatter(locator))
