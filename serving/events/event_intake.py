"""Accepts a batch of events: each gets a timestamp, counts once, is durable, and enters its session's features.

Three round trips to Redis: the time, and price and category of the items; the acceptance
(:mod:`feature_repo.live.acceptance`); the new rows of the sessions. The time is that of the Redis that holds the rows,
because scorers on other machines read them by that clock, too. With the second step's reply, the events are on disk. If
the third step fails, the stream's consumer writes the sessions later.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.definitions.views import SESSION_STATE
from feature_repo.live.acceptance import (
    RETENTION_S,
    EventKeys,
    Offered,
    Outcome,
    accept_commands,
    backlog,
    outcomes,
)
from feature_repo.live.event import LiveEvent, fingerprint
from feature_repo.live.session_rows import session_command
from feature_repo.online.row_encoder import RowEncoder
from feature_repo.schema import Declaration
from feature_repo.sessions import Replay, is_folded
from infra.clock import Clock, epoch_us
from infra.limits import MAX_PRICE
from infra.settings import Settings
from serving.errors import EventsNotStored
from serving.events.event_enrichment import ItemFacts, ItemFactsReader
from serving.events.event_schema import EventsAnswer, RejectedEvent, SentEvent, value_problem
from serving.events.event_times import EventTimes, event_us
from serving.events.live_store import LiveStore
from serving.events.session_cache import SessionCache
from serving.metrics import Metrics
from serving.redis_client.connection import TIME, ConnectionLost, time_us

CONFLICT = "event_id is known with another body"

log = logging.getLogger(__name__)


class EventIntake:
    """Not thread-safe: all calls come from the loop that called ``start``."""

    def __init__(
        self, settings: Settings, clock: Clock, metrics: Metrics, served: Callable[[], Declaration | None]
    ) -> None:
        """``served``: the declaration of the model in service, None without a model."""
        self._settings = settings
        self._served = served
        self._keys = EventKeys(settings.dataset)
        self._clock = clock
        self._times = EventTimes.of(settings)
        self._metrics = metrics
        self._items = ItemFactsReader(settings.dataset)
        self._rows = RowEncoder(SESSION_STATE, settings.dataset, RETENTION_S)
        self._states = SessionCache(self._keys)
        self._store = LiveStore(settings, self._states.forget)

    async def start(self, timeout_s: float) -> None:
        await self._store.start(timeout_s)

    async def close(self) -> None:
        await self._store.close()

    async def take(self, sent: Sequence[SentEvent | str], timeout_s: float) -> EventsAnswer:
        """Accept what can be accepted. Raises EventsNotStored; then some may be accepted, and all can be sent again."""
        async with self._store.accepting(timeout_s, EventsNotStored):
            return await self._take(sent)

    async def _take(self, sent: Sequence[SentEvent | str]) -> EventsAnswer:
        rejected = {i: each for i, each in enumerate(sent) if isinstance(each, str)}
        good = {i: each for i, each in enumerate(sent) if isinstance(each, SentEvent)}
        now, facts = await self._now_and_facts({each.item_id for each in good.values() if each.item_id is not None})
        read_at = time.monotonic()
        max_price = self._max_price()
        for i, each in list(good.items()):
            problem = value_problem(each, max_price)
            if problem is None and each.event_ts is not None:
                problem = self._times.problem(each.event_ts, now, self._clock)
            if problem is not None:
                rejected[i] = problem
                del good[i]
        now_us = epoch_us(now)
        first_us = now_us - len(good) + 1  # events without a timestamp happened just now, in the order of the body
        offered = [
            Offered(_live(each, facts, now_us, first_us + position), fingerprint(each))
            for position, each in enumerate(good.values())
        ]
        found, states = await self._accept(offered, now_us)
        rejected |= {i: CONFLICT for i, outcome in zip(good, found, strict=True) if outcome == "conflict"}
        await self._write_sessions(states, now_us, read_at)
        accepted = sum(isinstance(outcome, int) for outcome in found)
        duplicates = found.count("duplicate")
        self._metrics.events(accepted, duplicates, len(rejected))
        reasons = [RejectedEvent(index=i, reason=reason) for i, reason in sorted(rejected.items())]
        return EventsAnswer(accepted, duplicates, reasons)

    def _max_price(self) -> float:
        """Of the model's declaration, else of the log's; without both the usual one."""
        try:
            return (self._served() or declaration_of(self._settings)).max_price
        except DatasetError:
            return MAX_PRICE

    async def _now_and_facts(self, items: set[str]) -> tuple[datetime, Mapping[str, ItemFacts]]:
        """While the feature store is away, the time is this machine's, and events have no price and category."""
        names = sorted(items)
        try:
            replies = await self._store.features.call(self._items.commands(names) + TIME, len(names) + 1)
        except ConnectionLost as error:
            log.warning("events are accepted without price and category, by this machine's clock: %s", error)
            return self._clock.now(), {}
        now = self._clock.at(time_us(replies.pop()))
        return now, dict(zip(names, self._items.facts(replies, epoch_us(now)), strict=True))

    async def _accept(self, offered: Sequence[Offered], now_us: int) -> tuple[list[Outcome], Mapping[str, Replay]]:
        """The outcome of each event, and the sessions after it. Raises ConnectionLost."""
        if not offered:
            return [], {}
        accepting = accept_commands(self._keys, offered, now_us)
        query = self._states.query(each.event.session_id for each in offered if is_folded(each.event.action))
        commands = [*accepting, *query.commands]
        replies = await self._store.events.call(b"".join(commands), len(commands))
        found = outcomes(replies[: len(accepting)])
        self._metrics.backlog(backlog(replies[: len(accepting)]))
        states, again = self._states.read(query, replies[len(accepting) :])
        if again:
            query = self._states.query(again)
            replies = await self._store.events.call(b"".join(query.commands), len(query.commands))
            states |= self._states.read(query, replies)[0]
        return found, states

    async def _write_sessions(self, states: Mapping[str, Replay], now_us: int, read_at: float) -> None:
        """``read_at``: when the time ``now_us`` was known here, by ``time.monotonic()``."""
        if not states:
            return
        commands = [session_command(self._rows, name, state) for name, state in states.items()]
        newest_us = max(state.row_us for state in states.values())
        try:
            await self._store.write_rows(commands, len(SESSION_STATE.columns), newest_us, now_us, read_at)
        except ConnectionLost as error:
            log.warning("%d sessions are not written; the stream's consumer will write them: %s", len(states), error)


def _live(sent: SentEvent, facts: Mapping[str, ItemFacts], now_us: int, timestamp_us: int) -> LiveEvent:
    """``timestamp_us``: for an event without one."""
    known = facts.get(sent.item_id or "", ItemFacts())
    return LiveEvent(
        event_id=sent.event_id,
        user_id=sent.user_id,
        session_id=sent.session_id,
        action=sent.action,
        event_us=timestamp_us if sent.event_ts is None else event_us(sent.event_ts, now_us),
        item_id=sent.item_id,
        quantity=sent.quantity,
        value=None if sent.value is None else round(sent.value * 100),
        price=known.price,
        category_id=known.category_id,
        request_id=sent.request_id,
        shown_position=sent.shown_position,
    )
