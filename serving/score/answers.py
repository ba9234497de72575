"""The bodies of the answers to ``/score`` and ``/explain``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from typing_extensions import TypedDict  # pydantic accepts no other before Python 3.12

from infra.models.model_contract import RankerKind
from serving.features.reading import Missing
from serving.score.ranking import Ranking

FeatureValue: TypeAlias = float | str | None


@dataclass(frozen=True)
class ModelName:
    """The model that gave the scores. Kind ``baseline``: no trained model has been promoted yet."""

    name: str
    version: str
    kind: RankerKind


@dataclass(frozen=True)
class ScoreAnswer:
    """The list in its new order: by score, ties in input order.

    ``degraded``: the feature store was away or too slow, so that only the request itself was known.
    ``scored_at``: ISO 8601 in UTC, by the service's clock.
    """

    request_id: str
    scored_at: str
    model: ModelName
    items: Ranking
    degraded: bool
    missing: Missing


class ExplainedItem(TypedDict):
    """Why an item has its score.

    contributions: feature -> what it adds to the score; with ``base_score`` they sum to it
    by_source:     the same, summed by feature view, ``derived``, ``context`` and ``request``
    values:        feature -> its value; null is unknown. A category is its text, or "rare or new"
    """

    item_id: str
    score: float
    by_source: dict[str, float]
    contributions: dict[str, float]
    values: dict[str, FeatureValue]


class Reason(TypedDict):
    """One feature of a pair: both values, and the difference of their contributions."""

    feature: str
    source: str
    description: str
    unit: str
    above: FeatureValue
    below: FeatureValue
    difference: float


@dataclass(frozen=True)
class ExplainedPair:
    """``difference``: of the two scores. The reasons' differences sum to it; the largest come first."""

    above: str
    below: str
    difference: float
    text: str
    reasons: list[Reason]


@dataclass(frozen=True)
class ExplainAnswer:
    """The list in its order, and the contributions to each score. ``base_score``: what every score begins with."""

    request_id: str
    scored_at: str
    model: ModelName
    base_score: float
    items: list[ExplainedItem]
    pair: ExplainedPair | None
    degraded: bool
    missing: Missing
