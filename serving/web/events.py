"""Sends what visitors do to the same acceptance as ``POST /events``.

While it cannot be stored, an event is kept in the database with the time at which it happened, and sent again with the
next one. Its id stays the same, so it counts once.
"""

from __future__ import annotations

import logging
import secrets
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from infra.clock import epoch_us, timestamp_text
from serving.errors import NotStored
from serving.events.event_intake import EventIntake
from serving.events.event_schema import parse_events
from serving.web.database import Database
from serving.web.people.visits import Visit

MAX_AGAIN = 100
MAX_UNSENT = 10_000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Followed:
    """The answer that an event follows from, and the position on the screen; None where it follows from none."""

    request_id: str | None = None
    shown_position: int | None = None


@dataclass(frozen=True)
class Reporter:
    intake: EventIntake
    database: Database

    async def report(self, visit: Visit, now: datetime, deadline: float, *events: dict[str, Any]) -> bool:
        """``events``: action and what belongs to it. Whether they are stored; if not, they are kept and sent later."""
        made = [
            {
                "event_id": f"web-{secrets.token_hex(12)}",
                "user_id": visit.user_id,
                "session_id": visit.session_id,
                **{name: value for name, value in event.items() if value is not None},
            }
            for event in events
        ]
        again = self._unsent()
        try:
            answer = await self.intake.take(
                parse_events(orjson.dumps({"events": [*again.values(), *made]})), deadline - time.monotonic()
            )
        except NotStored as error:
            log.warning("%d events of the shop are kept until they can be stored: %s", len(made), error)
            self._keep([{**event, "event_ts": timestamp_text(now)} for event in made], now)
            return False
        for rejected in answer.rejected:
            log.warning("an event of the shop is rejected: %s", rejected["reason"])
        if again:
            self.database.write_many("DELETE FROM unsent WHERE event_id = ?", [(event_id,) for event_id in again])
        return True

    def _unsent(self) -> dict[str, Any]:
        rows = self.database.rows("SELECT event_id, event FROM unsent ORDER BY kept_us LIMIT ?", MAX_AGAIN)
        return {event_id: orjson.loads(event) for event_id, event in rows}

    def _keep(self, events: list[dict[str, Any]], now: datetime) -> None:
        row = self.database.row("SELECT count(*) FROM unsent")
        if row is not None and row[0] + len(events) > MAX_UNSENT:
            log.warning("%d events of the shop are dropped: too many are kept already", len(events))
            return
        rows = [(event["event_id"], orjson.dumps(event), epoch_us(now)) for event in events]
        self.database.write_many("INSERT OR IGNORE INTO unsent VALUES (?, ?, ?)", rows)


def event(action: str, item_id: str | None = None, followed: Followed | None = None, **more: Any) -> dict[str, Any]:
    found = followed or Followed()
    return {
        "action": action,
        "item_id": item_id,
        "request_id": found.request_id,
        "shown_position": found.shown_position,
        **more,
    }
