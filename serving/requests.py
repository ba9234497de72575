"""One ``POST /score``: what its body says, and reading it.

A body of the documented form is read by msgspec in one pass, without a dictionary per item. Whatever msgspec
refuses is judged by the form itself (:mod:`serving.form`), which names every place that is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Annotated, Any

import msgspec
from pydantic import ValidationError

from serving import form
from serving.errors import InvalidRequest, Place, Problem

MOST_BYTES = 4 * 1024 * 1024
NUL = b"\\u0000"  # the only way in which JSON can say it

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=form.LONGEST_TEXT)]
Value = Annotated[float, msgspec.Meta(ge=-form.LARGEST_FLOAT32, le=form.LARGEST_FLOAT32)]


class Candidate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One item of the list. ``features``: what the caller says of it by name; None is unknown."""

    item_id: Text
    features: dict[Text, Value | None] = {}


class ScoreRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A list to be put in order for one user, in one session; None is unknown."""

    items: Annotated[list[Candidate], msgspec.Meta(min_length=1, max_length=form.MOST_ITEMS)]
    user_id: Text | None = None
    session_id: Text | None = None
    context: dict[Text, Text | None] = {}

    @property
    def item_ids(self) -> list[str]:
        return [candidate.item_id for candidate in self.items]

    @property
    def sent(self) -> list[tuple[int, dict[str, float | None]]]:
        """(place of the candidate, what the caller says of it), where there is anything."""
        return [(i, candidate.features) for i, candidate in enumerate(self.items) if candidate.features]


_decoder = msgspec.json.Decoder(ScoreRequest)


def parse(body: bytes) -> ScoreRequest:
    """Raises InvalidRequest, which names each place, for a body that is not JSON or not of the form."""
    try:
        request = _judged(body) if NUL in body else _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        request = _judged(body)
    ids = request.item_ids
    if len(set(ids)) < len(ids):
        raise InvalidRequest(list(_repeated(ids)))
    return request


def _judged(body: bytes) -> ScoreRequest:
    try:
        found = form.ScoreRequest.model_validate_json(body)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidRequest([Problem(each["loc"], each["msg"]) for each in wrong]) from None
    items = [Candidate(each.item_id, each.features) for each in found.items]
    return ScoreRequest(items, found.user_id, found.session_id, found.context)


def refuse_unknown_names(request: ScoreRequest, features: Set[str], context: Set[str]) -> None:
    """Raises InvalidRequest for feature names the model does not read and context the data set does not declare."""
    problems = _unknown(request.context, context, ("context",), "not a context of this data set")
    for i, sent in request.sent:
        problems += _unknown(
            sent, features, ("items", i, "features"), "not a feature of the model: GET /model lists them"
        )
    if problems:
        raise InvalidRequest(problems)


def _unknown(sent: Mapping[str, Any], known: Set[str], place: Place, message: str) -> list[Problem]:
    return [Problem((*place, name), message) for name in sent if name not in known]


def _repeated(item_ids: list[str]) -> list[Problem]:
    first: dict[str, int] = {}
    return [
        Problem(("items", i, "item_id"), f"the same item as items.{first[item]}")
        for i, item in enumerate(item_ids)
        if first.setdefault(item, i) != i
    ]
