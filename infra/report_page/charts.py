"""Charts that several reports draw: bars, and counts by day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from infra.report_page.colours import ACCENT, INK, MUTED
from infra.report_page.plot import figure_of, plain

LINES = ((ACCENT, "-"), (INK, "-"), (MUTED, "-"), (ACCENT, ":"), (INK, ":"))  # colour and style, the first first
OTHERS = "others"

Series = Mapping[str, Mapping[date, int]]


def bars(labels: Sequence[str], values: Sequence[float], xlabel: str, ylabel: str, *, shares: bool = False) -> Figure:
    """``shares``: the values are shares, 0 to 1, and shown in percent."""
    figure, axes = figure_of(2.8)
    axes.bar(range(len(values)), values, color=ACCENT, width=0.8)
    axes.set_xticks(range(len(labels)), [plain(label) for label in labels], rotation=30, ha="right")
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(axis="x", visible=False)
    if shares:
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    return figure


def by_day(series: Series, ylabel: str) -> Figure:
    """One line per name, at most as many as LINES; a day that a line lacks counts 0."""
    figure, axes = figure_of(3.2)
    known = [day for counts in series.values() for day in counts]
    first = min(known)
    days = [first + timedelta(days=n) for n in range((max(known) - first).days + 1)]
    for (name, counts), (colour, style) in zip(series.items(), LINES, strict=False):
        axes.plot(
            days,
            [counts.get(day, 0) for day in days],
            color=colour,
            linestyle=style,
            linewidth=1.2,
            label=plain(name),
            marker="." if len(days) < 3 else "",
        )
    axes.set_ylim(bottom=0)
    axes.set_ylabel(ylabel)
    date_axis(axes)
    axes.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(series))
    return figure


def with_others(series: Series) -> Series:
    """The first ones; if there are more than LINES, the rest added up as OTHERS."""
    names = list(series)
    if len(names) <= len(LINES):
        return series
    rest: dict[date, int] = {}
    for name in names[len(LINES) - 1 :]:
        for day, count in series[name].items():
            rest[day] = rest.get(day, 0) + count
    return {**{name: series[name] for name in names[: len(LINES) - 1]}, OTHERS: rest}


def date_axis(axes: Any) -> None:
    locator = AutoDateLocator(minticks=3, maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
