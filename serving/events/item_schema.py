"""The bodies of ``POST /items``. Each change of a request is accepted or rejected by itself.

What a change may set are the attributes of the data set's items, so the form of a body follows from the declaration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Annotated, Any
from uuid import uuid4

import msgspec

from feature_repo.live.event import fingerprint
from feature_repo.live.items.change import ItemChange, text_of
from feature_repo.schema import IN_STOCK, Column, Declaration, DType, item_values
from infra.limits import MAX_FLOAT32, MAX_ITEM_CHANGES
from serving.errors import InvalidRequest, Problem
from serving.events.event_schema import RejectedEvent
from serving.ids import StructId, as_text

_ATTRIBUTE = "attribute_"  # begins the names of a body's fields in Python, where a column may be called like a keyword


@dataclass(frozen=True)
class SentChange:
    """``body``: the fingerprint of what was sent."""

    change: ItemChange
    body: bytes


@dataclass(frozen=True)
class ItemsAnswer:
    """An accepted change is on disk, and the next answer shows it. ``duplicates``: accepted before."""

    accepted: int
    duplicates: int
    rejected: list[RejectedEvent]


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    items: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=MAX_ITEM_CHANGES)]


_envelope = msgspec.json.Decoder(_Envelope)


def parse_items(content: bytes, declaration: Declaration) -> list[SentChange | str]:
    """Each change, or the reason why it is rejected. Raises InvalidRequest for a body without a list of changes."""
    try:
        found = _envelope.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest([Problem((), str(error) or "nested too deeply")]) from None
    decoder, columns = _decoder(declaration), item_values(declaration)
    return [_decoded(raw, decoder, columns) for raw in found.items]


def items_schemas(ref: str, declaration: Declaration) -> dict[str, Any]:
    """JSON Schema of the body and its parts by name, for OpenAPI. ``ref``: a template with {name}."""
    each: Any = _sent_item(declaration)
    changes = Annotated[list[each], msgspec.Meta(min_length=1, max_length=MAX_ITEM_CHANGES)]
    body = msgspec.defstruct("ItemsBody", [("items", changes)], forbid_unknown_fields=True)
    body.__doc__ = f"Up to {MAX_ITEM_CHANGES:,} changes; each is accepted or rejected on its own."
    return msgspec.json.schema_components([body], ref_template=ref)[1]


@cache
def _decoder(declaration: Declaration) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(_sent_item(declaration))


@cache
def _sent_item(declaration: Declaration) -> type[msgspec.Struct]:
    """The struct of one change: an attribute that is left out is UNSET."""
    columns = item_values(declaration)
    fields: list[Any] = [
        ("item_id", StructId),
        (
            "change_id",
            Annotated[
                StructId | None,
                msgspec.Meta(description="A change that is sent again has the same id, and counts once."),
            ],
            None,
        ),
        *((_ATTRIBUTE + c.name, Annotated[_type(c), _meta(c)], msgspec.UNSET) for c in columns),
    ]
    made = msgspec.defstruct(
        "SentItem",
        fields,
        frozen=True,
        forbid_unknown_fields=True,
        rename={_ATTRIBUTE + column.name: column.name for column in columns},
    )
    made.__doc__ = "What to change of one item. An attribute that is left out stays as it is; null makes it unknown."
    return made


def _type(column: Column) -> Any:
    kind: Any = StructId
    if column.dtype is DType.MONEY:
        kind = Decimal
    elif column.dtype is DType.FLOAT32:
        kind = Annotated[float, msgspec.Meta(ge=-MAX_FLOAT32, le=MAX_FLOAT32)]
    elif column.dtype is DType.INT64:
        kind = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
    if column.name == IN_STOCK.name:
        kind = kind | bool
    return (kind | None if column.nullable else kind) | msgspec.UnsetType


def _meta(column: Column) -> msgspec.Meta:
    unit = f" [{column.unit}]" if column.unit else ""
    return msgspec.Meta(description=f"{column.description}{unit}{_range(column)}")


def _range(column: Column) -> str:
    if column.allowed is not None:
        return f", one of {', '.join(column.allowed)}"
    low = "" if column.minimum is None else f", at least {column.minimum:.12g}"
    return low if column.maximum is None else f"{low}, at most {column.maximum:.12g}"


def _decoded(raw: msgspec.Raw, decoder: msgspec.json.Decoder[Any], columns: Sequence[Column]) -> SentChange | str:
    try:
        sent = decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return str(error) or "nested too deeply"
    values = {}
    for column in columns:
        value = getattr(sent, _ATTRIBUTE + column.name)
        value = as_text(value) if column.dtype is DType.STRING else value
        if value is not msgspec.UNSET:
            if value is not None and not _is_in_range(value, column):
                return f"{column.name} must be{_range(column).removeprefix(',')} - at `$.{column.name}`"
            values[column.name] = text_of(value, column.dtype)
    if not values:
        return f"nothing to change: send at least one of {', '.join(column.name for column in columns)}"
    change_id = uuid4().hex if sent.change_id is None else str(sent.change_id)
    change = ItemChange(change_id=change_id, item_id=str(sent.item_id), values=values)
    return SentChange(change, fingerprint(change))


def _is_in_range(value: Any, column: Column) -> bool:
    if column.allowed is not None:
        return value in column.allowed
    if isinstance(value, Decimal) and not value.is_finite():
        return False
    low, high = (_exact(bound, value) for bound in (column.minimum, column.maximum))
    return (low is None or value >= low) and (high is None or value <= high)


def _exact(bound: float | None, value: Any) -> float | Decimal | None:
    """A decimal bound for a decimal value: a float of 9999999999.99 is below it."""
    return Decimal(str(bound)) if bound is not None and isinstance(value, Decimal) else bound
