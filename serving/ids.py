"""Ids in the bodies of requests: text, or an integer, which counts as its decimal text, as in a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from pydantic import BeforeValidator, StringConstraints, WithJsonSchema

from infra.limits import MAX_TEXT_LENGTH

NO_NUL = r"^[^\x00]*$"

Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT_LENGTH, pattern=NO_NUL)]
StructText = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT_LENGTH, pattern=NO_NUL)]


def as_text(value: object) -> object:
    """An integer as its decimal text; anything else as it is. ``True`` is no integer."""
    return str(value) if type(value) is int else value


_TEXT_SCHEMA = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_LENGTH, "pattern": NO_NUL}
Id = Annotated[Text, BeforeValidator(as_text), WithJsonSchema({"anyOf": [_TEXT_SCHEMA, {"type": "integer"}]})]
if TYPE_CHECKING:
    StructId = str  # what it is once ``text_ids`` was called
else:
    StructId = StructText | int


def text_ids(struct: msgspec.Struct, names: tuple[str, ...]) -> None:
    """Make these fields texts; for the ``__post_init__`` of a struct that may be frozen."""
    for name in names:
        value = getattr(struct, name)
        if type(value) is int:
            msgspec.structs.force_setattr(struct, name, str(value))
