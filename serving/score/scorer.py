"""From a request to a ranked list: read, derive, override, score, sort."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from feature_repo.live.score_records import ScoreRecord
from feature_repo.model_features import feature_matrix
from feature_repo.schema import SESSION_STATE, Declaration
from feature_repo.slate import Floats, Slate
from infra.clock import Clock
from infra.models.model_store import LoadedModel
from serving.features.feast_reader import Keys, Missing, Reading, StoreAway, unread
from serving.later import Later, at_once
from serving.metrics import Metrics
from serving.score.answers import ModelName, ScoreAnswer, timestamp_text
from serving.score.ranking import Ranking
from serving.score.score_parser import ScoreRequest, refuse_unknown_names

READ_SHARE = 0.8  # of the time that is left for the request; the rest is for deriving, scoring and writing
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ids = random.Random()  # seeded by the kernel, in each process anew

Scored = Callable[[ScoreRecord, Floats], None]
"""Is told every slate and the matrix (n, f) it was scored by; must not wait. Nobody changes either afterwards."""


class TimedReader(Protocol):
    async def read(self, keys: Keys, timeout_s: float) -> Reading:
        """Raises StoreAway after at most ``timeout_s``."""
        ...


@dataclass(frozen=True)
class Inputs:
    """What one request's candidates are scored by: (n, f) ``matrix``. ``degraded``: without the feature store.

    ``read_us``: see :attr:`serving.features.feast_reader.Reading.event_us`.
    """

    now: datetime
    scored_us: int
    matrix: Floats
    missing: Missing
    degraded: bool
    read_us: Mapping[str, npt.NDArray[np.int64]]


@dataclass(frozen=True)
class Scorer:
    """One model in service."""

    model: LoadedModel
    declaration: Declaration
    reader: TimedReader
    clock: Clock
    metrics: Metrics
    scored: Scored

    async def score(self, request: ScoreRequest, deadline: float, later: Later = at_once) -> ScoreAnswer:
        """``deadline``: by ``time.monotonic()``. Raises InvalidRequest for names that the model does not know."""
        found = await self.inputs(request, deadline, later)
        with self.metrics.stage("score", later):
            scores = self.model.ranker.score(found.matrix)
            items = Ranking(request.item_ids, scores)
        request_id = new_request_id()
        later(partial(self._note, request_id, request, found, scores))
        return ScoreAnswer(
            request_id=request_id,
            scored_at=timestamp_text(found.now),
            model=self.model_name,
            items=items,
            degraded=found.degraded,
            missing=found.missing,
        )

    async def inputs(self, request: ScoreRequest, deadline: float, later: Later = at_once) -> Inputs:
        """Everything but the score. Raises InvalidRequest for names that the model does not know."""
        refuse_unknown_names(request, self._feature_names, self._context_names)
        with self.metrics.stage("read", later):
            now, keys, reading, degraded = await self._present(request, deadline)
        with self.metrics.stage("derive", later):
            slate = with_request(reading.slate, request, self.declaration)
            matrix = feature_matrix(slate, self.declaration)
            if request.sent:
                override(matrix, request.sent, self.model.contract.feature_names)
        return Inputs(now, keys.scored_us, matrix, reading.missing, degraded, reading.event_us)

    @cached_property
    def model_name(self) -> ModelName:
        return ModelName(self.model.name, self.model.version, self.model.kind)

    def _note(self, request_id: str, request: ScoreRequest, found: Inputs, scores: npt.NDArray[np.float64]) -> None:
        self.metrics.slate(len(scores), found.missing, found.degraded)
        self.scored(self._record(request_id, request, found, scores), found.matrix)

    def _record(
        self, request_id: str, request: ScoreRequest, found: Inputs, scores: npt.NDArray[np.float64]
    ) -> ScoreRecord:
        return ScoreRecord(
            request_id=request_id,
            scored_us=found.scored_us,
            clock=self.clock.mode,
            item_ids=request.item_ids,
            scores=scores,
            model_name=self.model.name,
            model_version=self.model.version,
            contract_hash=self._contract_hash,
            degraded=found.degraded,
            user_id=request.user_id,
            session_id=request.session_id,
            context=request.context,
            read_us=found.read_us,
            sent=request.sent,
        )

    @cached_property
    def _contract_hash(self) -> str:
        return self.model.contract.contract_hash

    @cached_property
    def _feature_names(self) -> frozenset[str]:
        return frozenset(self.model.contract.feature_names)

    @cached_property
    def _context_names(self) -> frozenset[str]:
        return frozenset(column.name for column in self.declaration.context)

    async def _present(self, request: ScoreRequest, deadline: float) -> tuple[datetime, Keys, Reading, bool]:
        """The request's moment and what was known then.

        An event that is accepted between the moment and the reading makes the session's row one of the future, and the
        store has no earlier one: then the moment is taken anew.
        """
        while True:
            now = self.clock.now()
            keys = Keys(request.user_id, request.session_id, request.item_ids, epoch_us(now), request.positions)
            reading, degraded = await self._read(keys, deadline)
            row_us = reading.event_us.get(SESSION_STATE.name)
            if row_us is None or not keys.scored_us < row_us[0] <= epoch_us(self.clock.now()):
                return now, keys, reading, degraded

    async def _read(self, keys: Keys, deadline: float) -> tuple[Reading, bool]:
        """The reading and whether it is only what is at hand without the store."""
        try:
            return await self.reader.read(keys, READ_SHARE * (deadline - time.monotonic())), False
        except StoreAway:
            return unread(keys, self.declaration), True


def with_request(slate: Slate, request: ScoreRequest, declaration: Declaration) -> Slate:
    """``slate`` with the facts and the context that the caller sent."""
    facts = {fact.name: np.full(len(slate), np.nan, np.float32) for fact in declaration.facts} if request.sent else {}
    for i, features in request.sent:
        for name, value in features.items():
            if name in facts:
                facts[name][i] = _number(value)
    context = {name: value for name, value in request.context.items() if value is not None}
    return replace(slate, facts=facts, context=context)


def override(matrix: Floats, sent: Sequence[tuple[int, Mapping[str, float | None]]], names: Sequence[str]) -> None:
    """Put what the caller sent by name of some rows into ``matrix`` (n, f), whose columns are ``names``.

    Only the named columns change: a sent ``price`` does not alter ``price_vs_slate``.
    """
    column = {name: j for j, name in enumerate(names)}
    for i, features in sent:
        for name, value in features.items():
            matrix[i, column[name]] = _number(value)


def new_request_id() -> str:
    """128 bits at random: as good as a UUID, without a call of the kernel."""
    return f"{_ids.getrandbits(128):032x}"


def epoch_us(timestamp: datetime) -> int:
    return (timestamp - EPOCH) // timedelta(microseconds=1)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
