"""An event that ``POST /events`` accepted, and its form in Redis."""

from __future__ import annotations

from hashlib import sha1
from typing import Any

import msgspec

from feature_repo.sessions import SessionEvent


class LiveEvent(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """All values of an event that the log and the session fold use, except its received timestamp.

    Times are µs since the epoch and money is in cents. ``price`` and ``category_id`` are as known at acceptance.
    """

    event_id: str
    user_id: str
    session_id: str
    action: str
    event_us: int
    item_id: str | None = None
    quantity: int | None = None
    value: int | None = None
    price: int | None = None
    category_id: str | None = None
    request_id: str | None = None
    shown_position: int | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(LiveEvent)


def packed(event: LiveEvent) -> bytes:
    """JSON without null values."""
    return _encoder.encode(event)


def unpacked(content: bytes) -> LiveEvent:
    """Raises msgspec.MsgspecError."""
    return _decoder.decode(content)


def fingerprint(sent: Any) -> bytes:
    """20 bytes that identify a body. The order of its names does not matter."""
    return sha1(msgspec.json.encode(sent, order="deterministic"), usedforsecurity=False).digest()


def parse_entry(entry: bytes) -> tuple[int, LiveEvent]:
    """The received timestamp (µs since the epoch) and the event of one entry of a session's list.

    An entry is the timestamp in decimal, a bar and the packed event; :mod:`feature_repo.live.acceptance` writes it.
    """
    timestamp, _, content = entry.partition(b"|")
    return int(timestamp), unpacked(content)


def session_event(received_us: int, event: LiveEvent) -> SessionEvent:
    """The part of the event that the session fold reads."""
    return SessionEvent(
        event_us=event.event_us,
        event_id=event.event_id,
        received_us=received_us,
        action=event.action,
        item_id=event.item_id,
        category_id=event.category_id,
        quantity=event.quantity,
        price=event.price,
    )
