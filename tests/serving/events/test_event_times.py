"""The time of an event: which are accepted, and what the sender of another one is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from infra.clock import FixedClock
from infra.settings import Settings
from serving.events.event_schema import SentEvent, parse_events
from serving.events.event_times import EventTimes, event_us

NOW = datetime(2024, 3, 4, 9, 30, tzinfo=UTC)
REPLAY = FixedClock(NOW, mode="replay")


def problem(event_ts: datetime, **settings: object) -> str | None:
    return EventTimes.of(Settings(**settings)).problem(event_ts, NOW, REPLAY)


def parsed(event_ts: object) -> SentEvent | str:
    event = {"event_id": "e", "user_id": "u", "session_id": "s", "action": "search", "event_ts": event_ts}
    (found,) = parse_events(json.dumps({"events": [event]}).encode())
    return found


def test_a_phone_whose_clock_is_half_a_minute_ahead_is_accepted_as_of_now() -> None:
    ahead = NOW + timedelta(seconds=30)
    assert problem(ahead) is None
    assert event_us(ahead, 1_000) == 1_000


def test_the_tolerance_is_a_setting_and_ends_exactly_there() -> None:
    assert problem(NOW + timedelta(seconds=5), event_ahead_s=5) is None
    assert problem(NOW + timedelta(seconds=5, microseconds=1), event_ahead_s=5) is not None


def test_a_rejected_event_names_the_clock_of_the_service_and_its_mode_and_what_to_do() -> None:
    """Under a replay clock the time of day is years ahead."""
    found = problem(datetime(2026, 11, 30, tzinfo=UTC))
    assert found is not None
    for part in ("event_ts 2026-11-30T00:00:00+00:00", "(replay, now 2024-03-04T09:30:00.000000Z)", "60 s",
                 "leave event_ts out", "RERANK_EVENT_AHEAD=clamp"):  # fmt: skip
        assert part in found


def test_an_event_further_ahead_counts_as_now_where_the_setting_says_clamp() -> None:
    assert problem(datetime(2026, 11, 30, tzinfo=UTC), event_ahead="clamp") is None


@pytest.mark.parametrize("event_ts", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z"])
def test_an_event_before_the_horizon_is_rejected_with_its_field_named(event_ts: str) -> None:
    sent = parsed(event_ts)
    assert isinstance(sent, SentEvent)
    assert sent.event_ts is not None
    for days in (30, 3650):
        found = problem(sent.event_ts, event_max_age_days=days)
        assert found is not None
        assert found.startswith("event_ts ")
        assert "RERANK_EVENT_MAX_AGE_DAYS" in found


def test_the_age_of_an_event_is_a_setting_and_ends_exactly_there() -> None:
    assert problem(NOW - timedelta(days=2), event_max_age_days=2) is None
    assert problem(NOW - timedelta(days=2, microseconds=1), event_max_age_days=2) is not None


def test_the_last_timestamp_of_the_calendar_is_rejected_and_breaks_nothing() -> None:
    sent = parsed("9999-12-31T23:59:59-14:00")
    assert isinstance(sent, SentEvent)
    assert sent.event_ts is not None
    assert "ahead of the service's clock" in str(problem(sent.event_ts))


@pytest.mark.parametrize(
    ("event_ts", "unit", "meant"),
    [
        (1709508400000, "milliseconds", "2024-03-03T23:26:40.000000Z"),
        ("1709508400000", "milliseconds", "2024-03-03T23:26:40.000000Z"),
        (1709508400, "seconds", "2024-03-03T23:26:40.000000Z"),
        (1709508400.5, "seconds", "2024-03-03T23:26:40.500000Z"),
        (1709508400000000, "microseconds", "2024-03-03T23:26:40.000000Z"),
    ],
)
def test_a_number_is_told_what_it_looks_like(event_ts: object, unit: str, meant: str) -> None:
    found = parsed(event_ts)
    assert f"must be ISO 8601 with a zone, like 2024-03-04T09:30:00Z; {event_ts} looks like {unit}" in str(found)
    assert str(found).endswith(meant)


@pytest.mark.parametrize("event_ts", ["2024-03-04T09:30:00", "yesterday", 7, True, [], {"a": 1}, "inf", "9" * 5_000])
def test_anything_else_is_told_the_form_alone(event_ts: object) -> None:
    assert parsed(event_ts) == "event_ts must be ISO 8601 with a zone, like 2024-03-04T09:30:00Z"
