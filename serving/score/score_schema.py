"""The schema of the body of ``POST /score``: OpenAPI documents it, and it names what is wrong in a bad body.

Pydantic's JSON parser reads NaN and infinity as numbers, so they are refused by name like any other bad value. It
names the location of every problem and limits nesting. :func:`serving.score.score_parser.parse` reads good bodies.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from infra.limits import MAX_FLOAT32, MAX_ITEMS
from serving.ids import Id, Text

Value = Annotated[float, Field(allow_inf_nan=False, ge=-MAX_FLOAT32, le=MAX_FLOAT32)]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Candidate(_Body):
    """One item of the list to be ordered."""

    item_id: Id
    features: dict[Text, Value | None] = Field(
        default_factory=dict,
        description="Features of the model by name (see GET /model); they replace stored values. null means unknown. "
        "Derived features are not computed again from a sent value.",
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

    user_id: Id | None = Field(None, description="Left out or null: an unknown user.")
    session_id: Id | None = Field(None, description="Left out or null: an unknown session.")
    context: dict[Text, Id | None] = Field(
        default_factory=dict,
        description="The context that the data set declares. null means unknown.",
    )
    items: Annotated[list[Candidate], Field(min_length=1, max_length=MAX_ITEMS)] = Field(
        description="The candidates, each once, in the caller's order: their index is the input position."
    )


class ExplainRequest(ScoreRequest):
    """The body of ``POST /explain``."""

    pair: tuple[Id, Id] | None = Field(
        None, description="Two of the items: why does one rank above the other? Left out or null: no pair."
    )
