"""The schema of the body of ``POST /recommend``: OpenAPI documents it, and bodies are validated by it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from infra.limits import MAX_FILTER_VALUES, MAX_ITEMS, MAX_K, MAX_MONEY
from serving.ids import Id, Text

DEFAULT_K = 25
K = Annotated[int, Field(ge=1, le=MAX_K)]
Values = Annotated[list[Id], Field(max_length=MAX_FILTER_VALUES)]
Price = Annotated[float, Field(ge=0, le=MAX_MONEY, allow_inf_nan=False)]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Filters(_Body):
    """What the answer may hold. Left out or null: anything. An item of unknown value does not pass."""

    category_id: Values | None = Field(None, description="Only items of one of these categories.")
    shop_id: Values | None = Field(None, description="Only items of one of these shops.")
    brand: Values | None = Field(None, description="Only items of one of these brands.")
    min_price: Price | None = Field(None, description="Only items of at least this price.")
    max_price: Price | None = Field(None, description="Only items of at most this price.")


class RecommendRequest(_Body):
    """What should this person see, in this session, now?"""

    model_config = ConfigDict(json_schema_extra={"examples": [{"user_id": "900", "session_id": "s1", "k": 10}]})

    user_id: Id | None = Field(None, description="Left out or null: an unknown user.")
    session_id: Id | None = Field(None, description="Left out or null: an unknown session.")
    k: K = Field(DEFAULT_K, description="How many items. There are fewer where fewer are left.")
    context: dict[Text, Id | None] = Field(
        default_factory=dict, description="The context that the data set declares. null means unknown."
    )
    filters: Filters = Field(default_factory=Filters)
    exclude: Annotated[list[Id], Field(max_length=MAX_ITEMS)] = Field(
        default_factory=list, description="Items that the answer may not hold."
    )


class ExplainRecommendRequest(_Body):
    """The body of ``POST /explain`` for a recommendation."""

    recommend: RecommendRequest
    pair: tuple[Id, Id] | None = Field(
        None, description="Two candidates: why does one rank above the other? Left out or null: no pair."
    )
