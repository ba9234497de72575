"""The session fold: what happened in a session so far, from its events alone.

``fold`` and ``features`` are pure. They order the events received so far by (event_ts, event_id). An event that is
received more than SESSION_EXPIRY after the session's latest one is not folded, because that session is over.
:class:`Replay` is the same fold for millions of events: it counts as events arrive, and counts all of them again only
after a late event.
"""

from __future__ import annotations

from bisect import bisect, insort
from dataclasses import dataclass, field
from typing import Any

from feature_repo.schema import RECENT_LIMIT, SESSION_EXPIRY

MAX_EVENTS = 1_000
EXPIRY_US = int(SESSION_EXPIRY.total_seconds() * 1e6)
_COUNTERS = {
    "view": "session_views",
    "like": "session_likes",
    "add_to_cart": "session_carts",
    "remove_from_cart": "session_removes",
    "order": "session_orders",
    "search": "session_searches",
}


@dataclass(frozen=True, order=True, slots=True)
class SessionEvent:
    """One accepted event. Times are µs since the epoch. ``price`` is in cents, None where unknown."""

    event_us: int
    event_id: str
    received_us: int = field(compare=False)
    action: str = field(compare=False)
    item_id: str | None = field(compare=False)
    category_id: str | None = field(compare=False)
    quantity: int | None = field(compare=False)
    price: int | None = field(compare=False)


@dataclass(frozen=True)
class Session:
    """The state of one session.

    events:           the folded events, ordered
    last_received_us: time when the latest of them was received
    row_us:           event_timestamp of the session's feature row
    """

    events: tuple[SessionEvent, ...] = ()
    last_received_us: int = 0
    row_us: int = 0


def fold(state: Session, event: SessionEvent) -> Session:
    """The state with one more received event. Returns ``state`` itself if the session has expired or is full."""
    if not _is_folded(len(state.events), state.last_received_us, event):
        return state
    at = bisect(state.events, event)
    return Session(
        (*state.events[:at], event, *state.events[at:]),
        max(state.last_received_us, event.received_us),
        max(state.row_us, event.received_us) + 1,
    )


def features(state: Session) -> dict[str, Any]:
    """The session_state columns of a session that has events. Lists are latest first."""
    tally = _Tally()
    for event in state.events:
        tally.add(event)
    return tally.features(state.events[0], state.events[-1])


class Replay:
    """The fold of one session, event by event, in place. At each step it equals ``Session`` and its features."""

    __slots__ = ("_events", "_is_tallied", "_tally", "last_received_us", "row_us")

    def __init__(self) -> None:
        self._events: list[SessionEvent] = []
        self._tally = _Tally()
        self._is_tallied = True
        self.row_us = 0
        self.last_received_us = 0

    def __len__(self) -> int:
        """The number of events folded so far."""
        return len(self._events)

    def fold(self, event: SessionEvent) -> bool:
        """Fold one received event. Returns False if the session has expired or is full."""
        if not _is_folded(len(self._events), self.last_received_us, event):
            return False
        self.last_received_us = max(self.last_received_us, event.received_us)
        self.row_us = max(self.row_us, event.received_us) + 1
        if self._events and event < self._events[-1]:
            insort(self._events, event)
            self._is_tallied = False
        else:
            self._events.append(event)
            if self._is_tallied:
                self._tally.add(event)
        return True

    def features(self) -> dict[str, Any]:
        if not self._is_tallied:
            self._tally = _Tally()
            for event in self._events:
                self._tally.add(event)
            self._is_tallied = True
        return self._tally.features(self._events[0], self._events[-1])


def _is_folded(folded_events: int, last_received_us: int, event: SessionEvent) -> bool:
    """``folded_events``: their number. ``last_received_us``: when the latest of them was received."""
    return folded_events < MAX_EVENTS and (not folded_events or event.received_us <= last_received_us + EXPIRY_US)


class _Tally:
    """The counts behind the features. Events must be added in (event_ts, event_id) order."""

    __slots__ = ("_cart", "_categories", "_counts", "_items", "_recent")

    def __init__(self) -> None:
        self._counts = dict.fromkeys(_COUNTERS.values(), 0)
        self._items: set[str] = set()
        self._categories: set[str] = set()
        self._cart: dict[str, int] = {}
        self._recent: list[tuple[str, str, int]] = []

    def add(self, event: SessionEvent) -> None:
        action, item = event.action, event.item_id
        counter = _COUNTERS.get(action)
        if counter is not None:
            self._counts[counter] += 1
        if event.category_id is not None:
            self._categories.add(event.category_id)
        if item is None:
            if action in ("order", "clear_cart"):
                self._cart.clear()
            return
        self._items.add(item)
        if action != "impression":
            self._recent.append((item, action, event.event_us))
            if len(self._recent) > RECENT_LIMIT:
                del self._recent[0]
        if action == "add_to_cart":
            value = self._cart.pop(item, 0) + (event.price or 0) * (event.quantity or 1)
            self._cart[item] = value  # a dict keeps insertion order: the latest added item is last
        elif action in ("remove_from_cart", "order"):
            self._cart.pop(item, None)

    def features(self, first: SessionEvent, last: SessionEvent) -> dict[str, Any]:
        """``first`` and ``last`` are the first and last event that were added."""
        recent = self._recent[::-1]
        return {
            **self._counts,
            "session_items": len(self._items),
            "session_categories": len(self._categories),
            "session_cart_size": len(self._cart),
            "session_cart_value": sum(self._cart.values()) / 100,
            "session_first_us": first.event_us,
            "session_last_us": last.event_us,
            "cart_items": list(self._cart)[::-1],
            "recent_items": [item for item, _, _ in recent],
            "recent_actions": [action for _, action, _ in recent],
            "recent_us": [timestamp for _, _, timestamp in recent],
        }
