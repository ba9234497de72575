"""Rows from the future: no reader may use them, and as the newest they would keep out every later row.

All that is written through the store is checked against the service's clock. A row that another client wrote is found
and removed by :mod:`feature_repo.online.repair`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from feature_repo.online.rows import BadRows, FeastRow
from infra.clock import Clock, ClockNotAnchored, WallClock, open_clock
from infra.settings import Settings

TOLERANCE = timedelta(minutes=1)  # between the clocks of who makes rows and who reads them


def service_clock() -> Clock:
    """The clock of the service, or the wall clock if the service's clock has no anchor yet."""
    try:
        return open_clock(Settings())
    except ClockNotAnchored:
        return WallClock()


def latest(clock: Clock) -> datetime:
    """The newest event timestamp that a row may have now."""
    return clock.now() + TOLERANCE


def refuse_future(rows: Sequence[FeastRow], view: str, clock: Clock) -> None:
    """Raises BadRows for rows whose event timestamp is later than :func:`latest`."""
    limit = latest(clock)
    ahead = [found for row in rows if (found := _aware(row[2])) is not None and found > limit]
    if ahead:
        raise BadRows(
            f"feature view {view}: {len(ahead)} of {len(rows)} rows have an event timestamp after {limit.isoformat()}, "
            f"the newest {max(ahead).isoformat()}; the service's clock ({clock.mode}) shows {clock.now().isoformat()}"
        )


def _aware(timestamp: datetime) -> datetime | None:
    if timestamp is None or timestamp != timestamp:  # pandas' NaT; the encoder refuses both
        return None
    return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)
