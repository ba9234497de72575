"""The time at which an event happened: which times are accepted, and what the sender of another one reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from infra.clock import Clock, epoch_us, timestamp_text
from infra.limits import EARLIEST, LATEST
from infra.settings import Settings

FORM = "event_ts must be ISO 8601 with a zone, like 2024-03-04T09:30:00Z"
UNITS = {"seconds": 1, "milliseconds": 1_000, "microseconds": 1_000_000}  # per second
PLAUSIBLE = (datetime(2000, 1, 1, tzinfo=UTC), LATEST)


@dataclass(frozen=True)
class EventTimes:
    """ahead:     how far a sender's clock may be ahead of the service's
    is_clamped: whether an event further ahead counts as happening now; otherwise it is rejected
    max_age:    how long ago an event may have happened
    """

    ahead: timedelta
    is_clamped: bool
    max_age: timedelta

    @classmethod
    def of(cls, settings: Settings) -> EventTimes:
        return cls(
            timedelta(seconds=settings.event_ahead_s),
            settings.event_ahead == "clamp",
            timedelta(days=settings.event_max_age_days),
        )

    def problem(self, event_ts: datetime, now: datetime, clock: Clock) -> str | None:
        """Why the event is rejected, or None."""
        shown = event_ts.isoformat()
        if event_ts > now + self.ahead and not self.is_clamped:
            return (
                f"event_ts {shown} is {event_ts - now} ahead of the service's clock ({clock.mode}, now "
                f"{timestamp_text(now)}); allowed are {self.ahead.total_seconds():g} s (RERANK_EVENT_AHEAD_S): leave "
                "event_ts out for an event of this moment, or set RERANK_EVENT_AHEAD=clamp"
            )
        if event_ts < max(EARLIEST, now - self.max_age):
            return (
                f"event_ts {shown} is before {timestamp_text(max(EARLIEST, now - self.max_age))}; the service's clock "
                f"({clock.mode}) says {timestamp_text(now)}, and an event may be {self.max_age.days} days old "
                "(RERANK_EVENT_MAX_AGE_DAYS)"
            )
        return None


def event_us(event_ts: datetime, now_us: int) -> int:
    """Microseconds since the epoch. An event ahead of the service's clock happens now."""
    return min(epoch_us(event_ts), now_us)


def form_problem(event: msgspec.Raw) -> str:
    """Why the ``event_ts`` of this JSON is no timestamp."""
    sent = msgspec.json.decode(event)["event_ts"]
    meant = _time_of_number(sent)
    return FORM if meant is None else f"{FORM}; {str(sent)[:40]} {meant}"


def _time_of_number(sent: object) -> str | None:
    """What a number, or its text, seems to mean."""
    try:
        number = float(str(sent))
    except ValueError:
        return None
    for unit, per_second in UNITS.items():
        if PLAUSIBLE[0].timestamp() <= number / per_second < PLAUSIBLE[1].timestamp():
            meant = datetime.fromtimestamp(number / per_second, UTC)
            return f"looks like {unit} since 1970, which is {timestamp_text(meant)}"
    return None
