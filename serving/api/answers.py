"""The bodies of the answers about the scorer itself, and of every refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from infra.clock import timestamp_of, timestamp_text
from infra.models.model_contract import RankerKind
from infra.models.trees.compiled_trees import Engine
from serving.recommend.recommender import Recommender
from serving.score.scorer import Scorer


@dataclass(frozen=True)
class Health:
    """The process answers."""

    status: Literal["ok"] = "ok"


CheckName = Literal["model", "contract", "redis", "features", "store", "events", "parity", "recommend"]


@dataclass(frozen=True)
class Check:
    """One condition of readiness. ``message``: what is wrong, or what was found."""

    name: CheckName
    ok: bool
    message: str


@dataclass(frozen=True)
class Readiness:
    """``ready``: every check is ok that must be.

    ``parity`` need not be: with a difference the scorer continues to serve. The settings say which of ``store``,
    ``events`` and ``recommend`` must be.
    """

    ready: bool
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class ModelFeature:
    """One input. ``source``: a feature view, ``derived``, or ``request`` for what the caller sends."""

    name: str
    dtype: str
    source: str


@dataclass(frozen=True)
class CandidateSource:
    """``candidates``: at most so many per request."""

    name: str
    candidates: int


@dataclass(frozen=True)
class RecommendCard:
    """The model of /recommend. ``known_at``: nothing that was received then or later is in its sources."""

    name: str
    version: str
    kind: RankerKind
    run_id: str
    contract_hash: str
    sources: tuple[CandidateSource, ...]
    known_at: str
    features: tuple[ModelFeature, ...]
    tags: dict[str, str]
    engine: Engine

    @staticmethod
    def of(recommender: Recommender) -> RecommendCard:
        model, sources = recommender.model, recommender.slates.sources
        return RecommendCard(
            name=model.name,
            version=model.version,
            kind=model.kind,
            run_id=model.run_id,
            contract_hash=model.contract.contract_hash,
            sources=tuple(CandidateSource(name, sources.sizes[name]) for name in sources.names),
            known_at=timestamp_text(timestamp_of(sources.known_at_us)),
            features=tuple(ModelFeature(f.name, f.dtype, f.source) for f in model.contract.features),
            tags=model.tags,
            engine=model.engine,
        )


@dataclass(frozen=True)
class ModelCard:
    """The model in service and everything it reads, in the order of its matrix.

    ``engine``: what computes the scores and why. Every engine gives the same scores. ``recommend``: null without a
    model of /recommend.
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
    recommend: RecommendCard | None

    @staticmethod
    def of(scorer: Scorer, recommender: Recommender | None) -> ModelCard:
        model, contract = scorer.model, scorer.model.contract
        return ModelCard(
            name=model.name,
            version=model.version,
            kind=model.kind,
            baseline=model.kind == "baseline",
            run_id=model.run_id,
            contract_hash=contract.contract_hash,
            feature_service=contract.feature_service,
            features=tuple(ModelFeature(f.name, f.dtype, f.source) for f in contract.features),
            context=tuple(column.name for column in scorer.declaration.context),
            tags=model.tags,
            engine=model.engine,
            recommend=None if recommender is None else RecommendCard.of(recommender),
        )


@dataclass(frozen=True)
class ErrorDetail:
    """``loc``: the keys and indices from the body's root to the problem; empty for the request as a whole."""

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
