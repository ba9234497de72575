"""The bodies of ``POST /events``. Each event of a request is accepted or rejected by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from typing_extensions import TypedDict  # pydantic accepts no other before Python 3.12

from feature_repo.schema import ACTIONS
from infra.limits import MAX_EVENTS, MAX_MONEY, MAX_POSITION, MAX_PRICE, MAX_QUANTITY
from serving.errors import InvalidRequest, Problem
from serving.events.event_times import form_problem
from serving.ids import StructId, text_ids

NEEDS_ITEM = frozenset(("impression", "view", "like", "add_to_cart", "remove_from_cart"))


class SentEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One thing that a user did. An ``order`` without an item orders the cart."""

    event_id: Annotated[
        StructId, msgspec.Meta(description="An event that is sent again has the same id, and counts once.")
    ]
    user_id: StructId
    session_id: StructId
    action: Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(ACTIONS)})]
    item_id: Annotated[StructId | None, msgspec.Meta(description=f"Needed for {', '.join(sorted(NEEDS_ITEM))}.")] = None
    event_ts: Annotated[
        Annotated[datetime, msgspec.Meta(tz=True)] | None,
        msgspec.Meta(
            description="When it happened, ISO 8601 with a zone. Left out: now. The settings RERANK_EVENT_AHEAD_S and "
            "RERANK_EVENT_MAX_AGE_DAYS say how far from the service's clock it may be."
        ),
    ] = None
    quantity: Annotated[int, msgspec.Meta(ge=1, le=MAX_QUANTITY)] | None = None
    value: Annotated[
        Decimal | None,
        msgspec.Meta(description=f"Money paid, 0 to {MAX_PRICE} or to the data set's max_price, rounded to cents."),
    ] = None
    request_id: Annotated[
        StructId | None, msgspec.Meta(description="The request_id of the /score answer that it follows from.")
    ] = None
    shown_position: (
        Annotated[int, msgspec.Meta(ge=0, le=MAX_POSITION, description="Position on the screen, from 0.")] | None
    ) = None

    def __post_init__(self) -> None:
        text_ids(self, ("event_id", "user_id", "session_id", "item_id", "request_id"))


class EventsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Up to 1,000 events; each is accepted or rejected on its own."""

    events: Annotated[list[SentEvent], msgspec.Meta(min_length=1, max_length=MAX_EVENTS)]


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    events: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=MAX_EVENTS)]


_envelope = msgspec.json.Decoder(_Envelope)
_event = msgspec.json.Decoder(SentEvent)


def parse_events(content: bytes) -> list[SentEvent | str]:
    """Each event, or the reason why it is rejected. Raises InvalidRequest for a body without a list of events."""
    try:
        found = _envelope.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest([Problem((), str(error) or "nested too deeply")]) from None
    return [_decoded(raw) for raw in found.events]


def events_schemas(ref: str) -> dict[str, Any]:
    """JSON Schema of the body and its parts by name, for OpenAPI. ``ref``: a template with {name}."""
    return msgspec.json.schema_components([EventsBody], ref_template=ref)[1]


def _decoded(raw: msgspec.Raw) -> SentEvent | str:
    try:
        event = _event.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return form_problem(raw) if "`$.event_ts`" in str(error) else str(error) or "nested too deeply"
    if event.action not in ACTIONS:
        return f"action must be one of {', '.join(ACTIONS)}"
    if event.item_id is None and event.action in NEEDS_ITEM:
        return f"item_id is needed for {event.action}"
    if event.value is not None and not event.value.is_finite():
        return f"value must be a number from 0 to {MAX_MONEY:.2f}"
    return event


def value_problem(event: SentEvent, max_price: float) -> str | None:
    """Why the money paid is rejected. ``max_price``: of the data set's declaration."""
    if event.value is None or 0 <= event.value <= Decimal(str(max_price)):  # a float of the bound may be below it
        return None
    return f"value must be from 0 to {max_price:.12g}"


class RejectedEvent(TypedDict):
    """``index``: its index in the body, from 0."""

    index: int
    reason: str


@dataclass(frozen=True)
class EventsAnswer:
    """An accepted event is on disk, and the next /score of its session reads it. ``duplicates``: accepted before."""

    accepted: int
    duplicates: int
    rejected: list[RejectedEvent]
