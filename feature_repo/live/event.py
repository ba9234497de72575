"""An event as ``POST /events`` accepted it, and its form in Redis."""

from __future__ import annotations

from hashlib import sha1
from typing import Any

import msgspec

from feature_repo.sessions import SessionEvent


class LiveEvent(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """All that the log and the session fold will ever know of it, but the moment of its acceptance.

    Instants in µs since the epoch, money in cents; ``price`` and ``category_id`` as known at acceptance.
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
    """JSON, without what is null."""
    return _encoder.encode(event)


def unpacked(content: bytes) -> LiveEvent:
    """Raises msgspec.MsgspecError."""
    return _decoder.decode(content)


def fingerprint(sent: Any) -> bytes:
    """20 bytes that tell bodies apart, whatever the order of their names."""
    return sha1(msgspec.json.encode(sent, order="deterministic"), usedforsecurity=False).digest()


def received(entry: bytes) -> tuple[int, LiveEvent]:
    """The moment of acceptance (µs since the epoch) and the event of one entry of a session's list.

    An entry is the moment in decimal, a bar and the packed event, as :mod:`feature_repo.live.acceptance` writes it.
    """
    timestamp, _, content = entry.partition(b"|")
    return int(timestamp), unpacked(content)


def session_event(received_us: int, event: LiveEvent) -> SessionEvent:
    """What the fold reads of it."""
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
