"""The bodies of the answers about the scorer itself, and of every refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from infra.models.model_contract import RankerKind
from infra.models.trees.compiled_trees import Engine
from serving.score.scorer import Scorer


@dataclass(frozen=True)
class Health:
    """The process answers."""

    status: Literal["ok"] = "ok"


CheckName = Literal["model", "contract", "redis", "features", "store", "events", "parity"]


@dataclass(frozen=True)
class Check:
    """One condition of readiness. ``message``: what is wrong, or what was found."""

    name: CheckName
    ok: bool
    message: str


@dataclass(frozen=True)
class Readiness:
    """``ready``: every check is ok that must be.

    ``parity`` need not be: with a difference the scorer continues to serve. The settings say which of ``store`` and
    ``events`` must be.
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
class ModelCard:
    """The model in service and everything it reads, in the order of its matrix.

    ``engine``: what computes the scores and why. Every engine gives the same scores.
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

    @staticmethod
    def of(scorer: Scorer) -> ModelCard:
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
