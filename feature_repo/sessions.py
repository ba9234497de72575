"""The session fold: what happened in a session so far, from its events alone.

Events count in (event_ts, event_id) order among those received so far. An event in order is folded onto
the state; one that arrives late makes the state be folded anew. An event that arrives more than
SESSION_EXPIRY after the session's latest is not folded: that session is over.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field
from typing import Any

from feature_repo.schema import RECENT_LIMIT, SESSION_EXPIRY

MOST_EVENTS = 1_000
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
    """One accepted event. Instants in µs since the epoch; ``price`` in cents, None where unknown."""

    event_us: int
    event_id: str
    received_us: int = field(compare=False)
    action: str = field(compare=False)
    item_id: str | None = field(compare=False)
    category_id: str | None = field(compare=False)
    quantity: int | None = field(compare=False)
    price: int | None = field(compare=False)


class SessionState:
    """The state of one session. ``row_us`` is the event_timestamp of its latest feature row."""

    __slots__ = ("_cart", "_categories", "_counts", "_events", "_items", "_recent", "row_us", "seen_us")

    def __init__(self) -> None:
        self._events: list[SessionEvent] = []
        self.row_us = 0
        self.seen_us = 0
        self._clear()

    def _clear(self) -> None:
        self._counts = dict.fromkeys(_COUNTERS.values(), 0)
        self._items: set[str] = set()
        self._categories: set[str] = set()
        self._cart: dict[str, int] = {}
        self._recent: list[tuple[str, str, int]] = []

    def fold(self, event: SessionEvent) -> bool:
        """Take one received event. Returns False where it is not folded: expired or one too many."""
        if self._events and event.received_us > self.seen_us + EXPIRY_US:
            return False
        if len(self._events) >= MOST_EVENTS:
            return False
        self.seen_us = max(self.seen_us, event.received_us)
        self.row_us = max(event.received_us, self.row_us) + 1
        late = bool(self._events) and event < self._events[-1]
        if late:
            insort(self._events, event)
            self._clear()
            for each in self._events:
                self._apply(each)
        else:
            self._events.append(event)
            self._apply(event)
        return True

    def _apply(self, event: SessionEvent) -> None:
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
            self._cart[item] = value  # last place: latest added
        elif action in ("remove_from_cart", "order"):
            self._cart.pop(item, None)

    def features(self) -> dict[str, Any]:
        """The columns of the session_state view, lists latest first."""
        recent = self._recent[::-1]
        return {
            **self._counts,
            "session_items": len(self._items),
            "session_categories": len(self._categories),
            "session_cart_size": len(self._cart),
            "session_cart_value": sum(self._cart.values()) / 100,
            "session_first_us": self._events[0].event_us,
            "session_last_us": self._events[-1].event_us,
            "cart_items": list(self._cart)[::-1],
            "recent_items": [item for item, _, _ in recent],
            "recent_actions": [action for _, action, _ in recent],
            "recent_us": [instant for _, _, instant in recent],
        }
