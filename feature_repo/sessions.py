"""The session fold: what happened in a session so far, from its events alone.

``fold`` and ``features`` are pure. Features count the folded events in the order in which they happened: by (event_ts,
event_id). Which events are folded depends on their receipt alone:

- An impression is not folded: what was shown is not what the user did.
- An event received more than SESSION_EXPIRY after the latest folded one begins anew: the earlier ones are forgotten.
- A full session forgets its older half, by receipt, before the next event is folded. So it has the newest KEPT_EVENTS
  at least, and MAX_EVENTS at most.

The script of :mod:`feature_repo.live.acceptance` applies the same rule to the events that Redis holds of a session.
:class:`Replay` is the same fold for millions of events: it counts as events arrive, and counts all of them again only
after a late event or when some are forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from feature_repo.definitions.extents import RECENT_LIMIT, SESSION_EXPIRY

MAX_EVENTS, KEPT_EVENTS = 1_000, 500
NOT_FOLDED = "impression"
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

    events:           the folded events, in the order of their receipt
    last_received_us: time when the latest of them was received
    row_us:           event_timestamp of the session's feature row
    """

    events: tuple[SessionEvent, ...] = ()
    last_received_us: int = 0
    row_us: int = 0


def is_folded(action: str) -> bool:
    return action != NOT_FOLDED


def fold(state: Session, event: SessionEvent) -> Session:
    """The state with one more received event. Returns ``state`` itself for an event that is not folded."""
    if not is_folded(event.action):
        return state
    return Session(
        (*state.events[_forgotten(len(state.events), state.last_received_us, event) :], event),
        max(state.last_received_us, event.received_us),
        max(state.row_us, event.received_us) + 1,
    )


def features(state: Session) -> dict[str, Any]:
    """The session_state columns of a session that has events. Lists are latest first."""
    return _Tally(sorted(state.events)).features()


class Replay:
    """The fold of one session, event by event, in place. At each step it equals ``Session`` and its features."""

    __slots__ = ("_events", "_tally", "last_received_us", "row_us")

    def __init__(self) -> None:
        self._events: list[SessionEvent] = []
        self._tally: _Tally | None = _Tally(())  # None: all events must be counted again
        self.row_us = 0
        self.last_received_us = 0

    def __len__(self) -> int:
        """The number of folded events."""
        return len(self._events)

    def fold(self, event: SessionEvent) -> bool:
        """Fold one received event. Returns False for an event that is not folded."""
        if not is_folded(event.action):
            return False
        forgotten = _forgotten(len(self._events), self.last_received_us, event)
        if forgotten:
            del self._events[:forgotten]
            self._tally = None if self._events else _Tally(())
        self.last_received_us = max(self.last_received_us, event.received_us)
        self.row_us = max(self.row_us, event.received_us) + 1
        self._events.append(event)
        if self._tally is not None and not self._tally.add(event):
            self._tally = None
        return True

    def features(self) -> dict[str, Any]:
        if self._tally is None:
            self._tally = _Tally(sorted(self._events))
        return self._tally.features()


def _forgotten(folded_events: int, last_received_us: int, event: SessionEvent) -> int:
    """How many of the folded events, the earliest received, are forgotten before ``event`` is folded."""
    if event.received_us > last_received_us + EXPIRY_US:
        return folded_events
    return folded_events - KEPT_EVENTS if folded_events >= MAX_EVENTS else 0


class _Tally:
    """The counts behind the features. ``events`` must be in (event_ts, event_id) order."""

    __slots__ = ("_cart", "_categories", "_counts", "_first", "_items", "_last", "_recent")

    def __init__(self, events: Sequence[SessionEvent]) -> None:
        self._first: SessionEvent | None = None
        self._last: SessionEvent | None = None
        self._counts = dict.fromkeys(_COUNTERS.values(), 0)
        self._items: set[str] = set()
        self._categories: set[str] = set()
        self._cart: dict[str, int] = {}
        self._recent: list[tuple[str, str, int]] = []
        for event in events:
            self.add(event)

    def add(self, event: SessionEvent) -> bool:
        """Count one more event. Returns False, and counts nothing, if it happened before the last one."""
        if self._last is not None and event < self._last:
            return False
        self._first, self._last = self._first or event, event
        self._count(event)
        return True

    def _count(self, event: SessionEvent) -> None:
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
        self._recent.append((item, action, event.event_us))
        if len(self._recent) > RECENT_LIMIT:
            del self._recent[0]
        if action == "add_to_cart":
            value = self._cart.pop(item, 0) + (event.price or 0) * (event.quantity or 1)
            self._cart[item] = value  # a dict keeps insertion order: the latest added item is last
        elif action in ("remove_from_cart", "order"):
            self._cart.pop(item, None)

    def features(self) -> dict[str, Any]:
        """Raises ValueError before the first event."""
        first, last = self._first, self._last
        if first is None or last is None:
            raise ValueError("no event was added")
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
