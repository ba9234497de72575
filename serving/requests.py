"""The body of ``POST /score``: its form, its limits, and reading it.

A body is parsed once, strictly, by pydantic's JSON parser: it takes NaN and infinite literals for numbers, so
that they are refused by name like any other bad value, and has a limit on nesting.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from serving.errors import InvalidRequest, Place, Problem

MOST_ITEMS = 2_000
MOST_BYTES = 4 * 1024 * 1024
LARGEST_FLOAT32 = 3.4028234663852886e38

Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Value = Annotated[float, Field(allow_inf_nan=False, ge=-LARGEST_FLOAT32, le=LARGEST_FLOAT32)]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Candidate(_Body):
    """One item of the list to be ordered."""

    item_id: Text
    features: dict[Text, Value | None] = Field(
        default_factory=dict,
        description="Features of the model by name (see GET /model); they win over the store. null means unknown. "
        "Derived features are not computed anew from a sent value.",
    )


class ScoreRequest(_Body):
    """A list to be put in the best order for one user, in one session, now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "user_id": "900",
                    "session_id": "s1",
                    "items": [{"item_id": "1095275"}, {"item_id": "1082185"}],
                }
            ]
        }
    )

    user_id: Text | None = Field(None, description="Left out or null: an unknown user.")
    session_id: Text | None = Field(None, description="Left out or null: an unknown session.")
    context: dict[Text, Text | None] = Field(
        default_factory=dict,
        description="What the data set declares as context. null means unknown.",
    )
    items: Annotated[list[Candidate], Field(min_length=1, max_length=MOST_ITEMS)] = Field(
        description="The candidates, each once, in the order the caller has: their place is the input position."
    )

    @property
    def item_ids(self) -> list[str]:
        return [candidate.item_id for candidate in self.items]


def parse(body: bytes) -> ScoreRequest:
    """Raises InvalidRequest, which names each place, for a body that is not JSON or not of the form."""
    try:
        request = ScoreRequest.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidRequest([Problem(each["loc"], each["msg"]) for each in found]) from None
    ids = request.item_ids
    if len(set(ids)) < len(ids):
        raise InvalidRequest(list(_repeated(ids)))
    return request


def refuse_unknown_names(request: ScoreRequest, features: Set[str], context: Set[str]) -> None:
    """Raises InvalidRequest for feature names the model does not read and context the data set does not declare."""
    problems = _unknown(request.context, context, ("context",), "not a context of this data set")
    for i, candidate in enumerate(request.items):
        if candidate.features:
            place = ("items", i, "features")
            message = "not a feature of the model: GET /model lists them"
            problems += _unknown(candidate.features, features, place, message)
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
