"""The body of POST /score."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

MOST_ITEMS = 2_000
LARGEST_FLOAT32 = 3.4028234e38

Id = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
FeatureValue = Annotated[float, Field(ge=-LARGEST_FLOAT32, le=LARGEST_FLOAT32, allow_inf_nan=False)]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class Candidate(_Body):
    """One item of the list. ``features`` may hold any model feature by name and then wins over the store.

    Features that are derived from an overridden one are not computed anew: send them as well.
    """

    item_id: Id
    features: dict[Id, FeatureValue | None] = Field(default_factory=dict, max_length=500)


class ScoreRequest(_Body):
    """A list to put in order for one user and session. The order of ``items`` is the input position."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        json_schema_extra={
            "example": {
                "user_id": "900",
                "session_id": "s1",
                "items": [{"item_id": "1095275"}, {"item_id": "1082185"}],
            }
        },
    )

    user_id: Id
    session_id: Id
    context: dict[Id, Id] = Field(default_factory=dict, max_length=50)
    items: list[Candidate] = Field(min_length=1, max_length=MOST_ITEMS)

    @field_validator("items")
    @classmethod
    def _each_item_once(cls, items: list[Candidate]) -> list[Candidate]:
        seen: dict[str, int] = {}
        for i, candidate in enumerate(items):
            if candidate.item_id in seen:
                raise ValueError(f"items.{i}.item_id repeats items.{seen[candidate.item_id]}.item_id")
            seen[candidate.item_id] = i
        return items
