"""The bodies of all answers: :mod:`response_encoder` (/score) and orjson write them, OpenAPI documents them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from typing_extensions import TypedDict  # pydantic takes no other before Python 3.12

from infra.models.model_contract import RankerKind
from infra.models.trees.compiled_trees import Engine
from serving.features.feast_reader import Missing
from serving.score.ranking import Ranking


@dataclass(frozen=True)
class ModelName:
    """The model that scored. Kind ``baseline``: no trained model has been promoted yet."""

    name: str
    version: str
    kind: RankerKind


@dataclass(frozen=True)
class ScoreAnswer:
    """The list in its new order: by score, ties in input order.

    ``degraded``: the feature store was away or too slow, so that only what the request says was known.
    ``scored_at``: ISO 8601 in UTC, by the service's clock.
    """

    request_id: str
    scored_at: str
    model: ModelName
    items: Ranking
    degraded: bool
    missing: Missing


class ExplainedItem(TypedDict):
    """``contributions``: feature -> what it adds to the score; with ``base_score`` they sum to it. ``by_source``: the
    same, summed by feature view, ``derived`` and ``request``. ``values``: what was scored; null is unknown."""

    item_id: str
    score: float
    by_source: dict[str, float]
    contributions: dict[str, float]
    values: dict[str, float | None]


class Reason(TypedDict):
    """What one feature does to the distance of a pair: both values and the difference of their contributions."""

    feature: str
    source: str
    description: str
    unit: str
    above: float | None
    below: float | None
    difference: float


@dataclass(frozen=True)
class ExplainedPair:
    """``difference``: of the two scores; the reasons' differences sum to it, the largest come first."""

    above: str
    below: str
    difference: float
    text: str
    reasons: list[Reason]


@dataclass(frozen=True)
class ExplainAnswer:
    """The list in its order, and what each score is made of. ``base_score``: what every score begins with."""

    request_id: str
    scored_at: str
    model: ModelName
    base_score: float
    items: list[ExplainedItem]
    pair: ExplainedPair | None
    degraded: bool
    missing: Missing


class RejectedEvent(TypedDict):
    """``index``: its place in the body, from 0."""

    index: int
    reason: str


@dataclass(frozen=True)
class EventsAnswer:
    """What is accepted is on disk, and in its session for the next /score. ``duplicates``: accepted before."""

    accepted: int
    duplicates: int
    rejected: list[RejectedEvent]


@dataclass(frozen=True)
class Health:
    """The process answers."""

    status: Literal["ok"] = "ok"


@dataclass(frozen=True)
class Check:
    """One named condition of being ready; ``message`` says what is wrong, or what was found."""

    name: Literal["model", "contract", "redis", "features"]
    ok: bool
    message: str


@dataclass(frozen=True)
class Readiness:
    """``ready`` when every check is ok."""

    ready: bool
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class ModelFeature:
    """One input. ``source``: a feature view, ``derived``, or ``request`` for what only the caller knows."""

    name: str
    dtype: str
    source: str


@dataclass(frozen=True)
class ModelCard:
    """The model in service and everything it reads, in the order of its matrix.

    ``engine``: what computes the scores and why; every engine gives a model's same scores.
    """

    name: str
    version: str
    kind: RankerKind
    baseline: bool
    run_id: str
    contract_hash: str
    feature_service: str
    features: tuple[ModelFeature, ...]
    context: tuple[str, ...]
    tags: dict[str, str]
    engine: Engine


@dataclass(frozen=True)
class ErrorDetail:
    """``loc`` leads from the body's root to what is wrong; empty for the request as a whole."""

    loc: tuple[str | int, ...]
    message: str


@dataclass(frozen=True)
class ErrorBody:
    """``type`` is for programs, the rest for people."""

    type: str
    message: str
    details: tuple[ErrorDetail, ...] = ()


@dataclass(frozen=True)
class ErrorAnswer:
    """The body of every refusal."""

    error: ErrorBody


def timestamp_text(timestamp: datetime) -> str:
    """``2018-01-01T04:01:20.000000Z``"""
    return timestamp.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
