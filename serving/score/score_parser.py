"""Reads the body of ``POST /score``.

msgspec reads a good body in one pass, without a dictionary per item. A body that msgspec refuses is validated by its
schema (:mod:`serving.score.score_schema`), which names the location of every problem.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import msgspec
from pydantic import ValidationError

from feature_repo.slate import positions
from infra.limits import MAX_FLOAT32, MAX_ITEMS, MAX_TEXT_LENGTH
from serving.errors import InvalidRequest, Location, Problem
from serving.score import score_schema

NUL = b"\\u0000"  # the only form that NUL has in JSON

Schema = TypeVar("Schema", bound=score_schema.ScoreRequest)
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT_LENGTH)]  # a body with NUL takes the other way
Id = Text | int
Value = Annotated[float, msgspec.Meta(ge=-MAX_FLOAT32, le=MAX_FLOAT32)]


class Candidate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One item of the list, as the body has it."""

    item_id: Id
    features: dict[Text, Value | None] | msgspec.UnsetType = msgspec.UNSET


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """What :class:`serving.score.score_schema.ScoreRequest` documents."""

    items: Annotated[list[Candidate], msgspec.Meta(min_length=1, max_length=MAX_ITEMS)]
    user_id: Id | None = None
    session_id: Id | None = None
    context: Mapping[Text, Id | None] = {}


@dataclass(frozen=True)
class ScoreRequest:
    """A list to be put in order for one user, in one session. None is unknown.

    item_ids:  each once, in the caller's order
    positions: id -> its position in that order
    sent:      (position, the features that the caller sent for that item)
    """

    item_ids: list[str]
    positions: Mapping[str, int]
    sent: Sequence[tuple[int, Mapping[str, float | None]]] = field(default_factory=list)
    user_id: str | None = None
    session_id: str | None = None
    context: Mapping[str, str | None] = field(default_factory=dict)


_decoder = msgspec.json.Decoder(Body)


def parse(content: bytes) -> ScoreRequest:
    """Raises InvalidRequest, with the location of each problem, for a body that is not JSON or not of the schema."""
    try:
        body = _validated_body(content) if NUL in content else _decoder.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        body = _validated_body(content)
    return _request(body)


def parse_explain(content: bytes) -> tuple[ScoreRequest, tuple[str, str] | None]:
    """The request and the pair. Raises InvalidRequest."""
    found = _validated(score_schema.ExplainRequest, content)
    request = _request(_body(found))
    problems = [
        Problem(("pair", i), "not among the items")
        for i, each in enumerate(found.pair or ())
        if each not in request.positions
    ]
    if found.pair is not None and found.pair[0] == found.pair[1]:
        problems.append(Problem(("pair",), "the same item twice"))
    if problems:
        raise InvalidRequest(problems)
    return request, found.pair


def _request(body: Body) -> ScoreRequest:
    ids = [str(candidate.item_id) for candidate in body.items]
    known = positions(ids)
    if len(known) < len(ids):
        raise InvalidRequest(list(_repeated(ids)))
    sent = [(i, candidate.features) for i, candidate in enumerate(body.items) if candidate.features]
    context = {name: _text(value) for name, value in body.context.items()}
    return ScoreRequest(ids, known, sent, _text(body.user_id), _text(body.session_id), context)


def _text(value: str | int | None) -> str | None:
    return None if value is None else str(value)


def _validated_body(content: bytes) -> Body:
    return _body(_validated(score_schema.ScoreRequest, content))


def _validated(schema: type[Schema], content: bytes) -> Schema:
    try:
        return schema.model_validate_json(content)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidRequest([Problem(each["loc"], each["msg"]) for each in problems]) from None


def _body(found: score_schema.ScoreRequest) -> Body:
    items = [Candidate(each.item_id, each.features) for each in found.items]
    return Body(items, found.user_id, found.session_id, found.context)


def refuse_unknown_names(request: ScoreRequest, features: Set[str], context: Set[str]) -> None:
    """Raises InvalidRequest for features that the model lacks and context that the data set does not declare.

    ``features``: those that can be sent; a category cannot.
    """
    problems = _unknown(request.context, context, ("context",), "not a context of this data set")
    for i, sent in request.sent:
        problems += _unknown(
            sent, features, ("items", i, "features"), "not a number among the model's features: GET /model lists them"
        )
    if problems:
        raise InvalidRequest(problems)


def _unknown(sent: Mapping[str, Any], known: Set[str], location: Location, message: str) -> list[Problem]:
    return [Problem((*location, name), message) for name in sent if name not in known]


def _repeated(item_ids: list[str]) -> list[Problem]:
    first: dict[str, int] = {}
    return [
        Problem(("items", i, "item_id"), f"the same item as items.{first[item]}")
        for i, item in enumerate(item_ids)
        if first.setdefault(item, i) != i
    ]
