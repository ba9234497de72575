"""The answers of the API."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel


class ServedModel(BaseModel):
    """``kind`` is ``baseline`` where no trained model has earned its place."""

    name: str
    version: str
    kind: str


class ScoredItem(BaseModel):
    item_id: str
    score: float


class Missing(BaseModel):
    """What the store does not know: how many of the items, and whether user and session."""

    items: int
    user: bool
    session: bool


class ScoreAnswer(BaseModel):
    """Items by score, ties by input order. ``degraded``: not everything could be read in time."""

    request_id: str
    scored_at: str
    model: ServedModel
    items: list[ScoredItem]
    degraded: bool
    missing: Missing


class Health(BaseModel):
    status: str


class Check(BaseModel):
    name: str
    ok: bool
    message: str


class Readiness(BaseModel):
    """``ready`` is true when every check is ok."""

    ready: bool
    checks: list[Check]


class ModelFeature(BaseModel):
    name: str
    dtype: str
    source: str


class ModelCard(BaseModel):
    name: str
    version: str
    kind: str
    run_id: str
    contract_hash: str
    feature_service: str
    features: list[ModelFeature]
    tags: dict[str, str]


def instant_text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
