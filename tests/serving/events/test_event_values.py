"""The money paid in an event: its bound is that of the data set in service."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import pytest

from feature_repo.schema import Declaration
from infra.clock import ReplayClock
from infra.limits import MAX_MONEY, MAX_PRICE
from infra.settings import Settings
from serving.events.event_intake import EventIntake
from serving.events.event_schema import EventsAnswer, SentEvent, parse_events, value_problem
from serving.metrics import Metrics
from tests.serving import world

USUAL = Declaration("mine", "mine")


def sent(value: float) -> bytes:
    event = {"event_id": uuid4().hex, "user_id": "u", "session_id": uuid4().hex, "action": "order", "value": value}
    return json.dumps({"events": [event]}).encode()


def taken(settings: Settings, served: Declaration | None, value: float) -> EventsAnswer:
    async def take() -> EventsAnswer:
        intake = EventIntake(settings, ReplayClock(world.NOW, time.time()), Metrics(), lambda: served)
        await intake.start(10)
        try:
            return await intake.take(parse_events(sent(value)), 10)
        finally:
            await intake.close()

    return asyncio.run(take())


@pytest.mark.parametrize("served", [USUAL, None])
def test_money_paid_is_up_to_the_usual_bound(settings: Settings, served: Declaration | None) -> None:
    assert taken(settings, served, MAX_PRICE).accepted == 1
    [rejected] = taken(settings, served, MAX_PRICE + 0.01).rejected
    assert rejected["reason"] == "value must be from 0 to 100000"


def test_a_declared_bound_takes_larger_amounts(settings: Settings) -> None:
    rupiah = replace(USUAL, max_price=500_000_000)
    assert taken(settings, rupiah, 8_289_000).accepted == 1
    [rejected] = taken(settings, rupiah, 500_000_001).rejected
    assert rejected["reason"] == "value must be from 0 to 500000000"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, None),
        ("0", None),
        ("9999999999.99", None),
        ("-0.01", "value must be from 0 to 9999999999.99"),
        ("10000000000", "value must be from 0 to 9999999999.99"),
    ],
)
def test_no_declaration_takes_more_than_the_log_can_hold(value: str | None, problem: str | None) -> None:
    event = SentEvent("e", "u", "s", "order", value=None if value is None else Decimal(value))
    assert value_problem(event, MAX_MONEY) == problem


def test_what_is_no_number_is_rejected() -> None:
    body = b'{"events": [{"event_id": "e", "user_id": "u", "session_id": "s", "action": "order", "value": "NaN"}]}'
    assert parse_events(body) == ["value must be a number from 0 to 9999999999.99"]
