"""The rolling windows of the training set of recommendations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any


class BadWindows(ValueError):
    """Windows that are not whole numbers above 0, or that begin before the log."""


@dataclass(frozen=True)
class Window:
    """Lists are asked for in [start, end), and what is ordered until ``end`` is wanted.

    ``fitted_at``: the sources of the window know what was received before it; at most ``start``.
    """

    split: str
    start: datetime
    end: datetime
    fitted_at: datetime


def rolling_windows(until: datetime, params: Mapping[str, Any], log_start: datetime) -> list[Window]:
    """Oldest first, the newest one ending at ``until``, a UTC midnight.

    ``params``: ``days`` of a window, ``every_days`` between the starts of two, the numbers ``train``, ``validation``
    and ``test``, and ``fit_every``: so many consecutive windows share sources, fitted before the first of them.
    A data set that is too short has fewer windows of train. Raises BadWindows.
    """
    names = ("days", "every_days", "train", "validation", "test", "fit_every")
    days, every, train, validation, test, fit_every = (int(params[name]) for name in names)
    if min(days, every, train, validation, test, fit_every) < 1:
        raise BadWindows(f"params.yaml, recommend.windows: {', '.join(names)} must be at least 1, not {dict(params)}")
    if every < days:
        raise BadWindows("params.yaml, recommend.windows: every_days is less than days, so that windows overlap")
    total = train + validation + test
    starts = [until - timedelta(days=days + every * back) for back in range(total)]
    starts = [start for start in starts if start > log_start + timedelta(days=every)]
    if len(starts) <= validation + test:
        raise BadWindows(
            f"the log has {(until - log_start).days} days: too few for {validation + test + 1} windows of {days} days"
        )
    splits = ["test"] * test + ["validation"] * validation + ["train"] * train
    found = []
    for back, (split, start) in enumerate(zip(splits, starts, strict=False)):
        first = min(back // fit_every * fit_every + fit_every - 1, len(starts) - 1)
        found.append(Window(split, start, start + timedelta(days=days), starts[first]))
    return found[::-1]


def test_start(until: datetime, params: Mapping[str, Any]) -> datetime:
    """The start of the oldest test window; no later than the end of every other window."""
    days, every, test = (int(params[name]) for name in ("days", "every_days", "test"))
    return until - timedelta(days=days + every * (test - 1))


def midnight_before(timestamp: datetime) -> datetime:
    """The latest UTC midnight that is not after ``timestamp``."""
    return timestamp.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
