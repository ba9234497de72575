"""Reads what ``/recommend`` is asked: a body, or a path and its query parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from infra.limits import MAX_K
from serving.errors import InvalidRequest, Location, Problem
from serving.recommend import recommend_schema
from serving.recommend.recommend_schema import DEFAULT_K
from serving.recommend.rules import Filters

Schema = TypeVar("Schema", bound=BaseModel)
Parameters = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class RecommendRequest:
    """A request for ``k`` items. None is unknown."""

    user_id: str | None = None
    session_id: str | None = None
    k: int = DEFAULT_K
    context: Mapping[str, str | None] = field(default_factory=dict)
    filters: Filters = field(default_factory=Filters)
    exclude: frozenset[str] = frozenset()


def parse_recommend(content: bytes) -> RecommendRequest:
    """Raises InvalidRequest, with the location of each problem."""
    return _request(_validated(recommend_schema.RecommendRequest, content))


def parse_explain_recommend(content: bytes) -> tuple[RecommendRequest, tuple[str, str] | None] | None:
    """The request and the pair; None for a body that does not ask about a recommendation. Raises InvalidRequest."""
    if b'"recommend"' not in content or not _has_recommend(content):
        return None
    found = _validated(recommend_schema.ExplainRecommendRequest, content)
    if found.pair is not None and found.pair[0] == found.pair[1]:
        raise InvalidRequest([Problem(("pair",), "the same item twice")])
    return _request(found.recommend), found.pair


def parse_query(user_id: str, parameters: Parameters, context: Set[str]) -> RecommendRequest:
    """Of ``GET /recommend/{user_id}``. ``context``: the names that the data set declares. Raises InvalidRequest."""
    found = _once(parameters, {"k", "session_id", *context})
    k = _k(found.pop("k", str(DEFAULT_K)))
    body = {"user_id": user_id, "k": k, "context": {name: found[name] for name in found if name != "session_id"}}
    if "session_id" in found:
        body["session_id"] = found["session_id"]
    try:
        return _request(recommend_schema.RecommendRequest.model_validate(body))
    except ValidationError as error:
        raise InvalidRequest([Problem(_of_query(each["loc"]), each["msg"]) for each in _errors(error)]) from None


def parse_k(parameters: Parameters) -> int:
    """Of ``GET /similar/{item_id}``, which takes nothing else. Raises InvalidRequest."""
    return _k(_once(parameters, {"k"}).get("k", str(DEFAULT_K)))


def _once(parameters: Parameters, known: Set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    problems = []
    for name, value in parameters:
        if name not in known:
            problems.append(Problem(("query", name), f"not a parameter; there are {', '.join(sorted(known))}"))
        elif name in found:
            problems.append(Problem(("query", name), "more than once"))
        else:
            found[name] = value
    if problems:
        raise InvalidRequest(problems)
    return found


def _k(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= MAX_K:
        raise InvalidRequest([Problem(("query", "k"), f"must be a whole number from 1 to {MAX_K}")])
    return int(text)


def _of_query(location: Location) -> Location:
    if location[0] == "user_id":
        return ("path", *location)
    return ("query", *(location[1:] if location[0] == "context" else location))


def _has_recommend(content: bytes) -> bool:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(body, dict) and "recommend" in body


def _request(found: recommend_schema.RecommendRequest) -> RecommendRequest:
    filters = found.filters
    return RecommendRequest(
        found.user_id,
        found.session_id,
        found.k,
        found.context,
        Filters(
            _set(filters.category_id), _set(filters.shop_id), _set(filters.brand), filters.min_price, filters.max_price
        ),
        frozenset(found.exclude),
    )


def _set(values: list[str] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(values)


def _validated(schema: type[Schema], content: bytes) -> Schema:
    try:
        return schema.model_validate_json(content)
    except ValidationError as error:
        raise InvalidRequest([Problem(each["loc"], each["msg"]) for each in _errors(error)]) from None


def _errors(error: ValidationError) -> list[Any]:
    return list(error.errors(include_url=False, include_context=False, include_input=False))
