"""Which column is the time, and how it is read."""

from __future__ import annotations

from feature_repo.init.guess.decisions import UNKNOWN, Decision, Guess, column_of
from feature_repo.init.guess.roles import View
from feature_repo.init.profile.column import Times
from feature_repo.init.thresholds import PLAUSIBLE_YEARS


def time_decision(guess: Guess, view: View, name: str, place: str) -> Decision:
    """How the column ``name`` is read. ``place``: of the decision, ``events.event_ts``; asks where several ways fit."""
    times = view.columns[name].times
    assert times is not None
    if len(times.formats) > 1:
        example = view.columns[name].examples[0]
        guess.ask(
            f"{place}.format",
            f"{view.pattern}, {name}: {example!r} fits {' and '.join(times.formats)}, and so do all other values",
            *(f'"{each}"' for each in times.formats),
        )
        return Decision(column_of(name, format=UNKNOWN), "which number is the day is for you to say", 0.0)
    if not PLAUSIBLE_YEARS[0] <= times.first.year <= times.last.year <= PLAUSIBLE_YEARS[1]:
        guess.ask(
            f"{place}.from",
            f"{view.pattern}, {name}: its times are from {times.first:%Y-%m-%d} to {times.last:%Y-%m-%d}: "
            "are they milliseconds that were taken for microseconds? Write the file anew, or name another column",
            f"{name}  # it is right so; or another column",
        )
        return Decision(column_of(UNKNOWN), "the times are implausible", 0.0)
    span = f"{times.first:%Y-%m-%d} to {times.last:%Y-%m-%d}"
    if times.native:
        return Decision(column_of(name), f"timestamps, {span}{_zone(times)}")
    if times.unit is not None:
        return Decision(column_of(name, unit=times.unit), f"{_UNITS[times.unit]} since 1970: {span}")
    if times.formats:
        return Decision(column_of(name, format=times.formats[0]), f"{_told(times)}{span}{_zone(times)}")
    return Decision(column_of(name), f"ISO 8601, {span}{_zone(times)}")


_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


def _zone(times: Times) -> str:
    return "" if times.zoned else "; no zone in the file: UTC, or say zone: Europe/Paris"


def _told(times: Times) -> str:
    """Why the day is the day."""
    text = times.formats[0]
    if "%b" in text or "%B" in text or text.startswith("%Y"):
        return ""
    return "the day comes first, as values above 12 show: " if text.startswith("%d") else "the month comes first: "
