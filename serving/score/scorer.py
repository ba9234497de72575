"""From a request to a ranked list: read, derive, override, score, sort."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from feature_repo.live.score_records import ScoreRecord
from feature_repo.model_features import feature_matrix
from feature_repo.schema import Declaration
from feature_repo.slate import Floats, Slate
from infra.clock import Clock, epoch_us, timestamp_of, timestamp_text
from infra.models.model_contract import CATEGORY
from infra.models.model_store import LoadedModel
from serving.errors import InvalidRequest, Problem
from serving.features.reading import Keys, Missing, Reading, StoreAway, unread
from serving.metrics import Metrics
from serving.score.answers import ModelName, ScoreAnswer
from serving.score.ranking import Ranking
from serving.score.score_parser import ScoreRequest, refuse_unknown_names

READ_SHARE = 0.8  # of the time left for the request; the rest is for deriving, scoring and writing

OnScored = Callable[[ScoreRecord, Floats], None]
"""Is called with every slate and the matrix (n, f) that gave its scores. It must not block; neither changes later."""


class FeatureReader(Protocol):
    async def read(self, keys: Keys, timeout_s: float) -> Reading:
        """Raises StoreAway after at most ``timeout_s``."""
        ...


@dataclass(frozen=True)
class Inputs:
    """What one request's candidates are scored by: (n, f) ``matrix``. ``degraded``: without the feature store.

    ``scored_us``: the slate's timestamp. ``read_us``: see :attr:`serving.features.reading.Reading.event_us`.
    """

    scored_us: int
    matrix: Floats
    missing: Missing
    degraded: bool
    read_us: Mapping[str, npt.NDArray[np.int64]]


@dataclass(frozen=True)
class Scored:
    """A scored request, to be answered and then recorded."""

    request: ScoreRequest
    inputs: Inputs
    scores: npt.NDArray[np.float64]
    answer: ScoreAnswer


@dataclass(frozen=True)
class Scorer:
    """One model in service."""

    model: LoadedModel
    declaration: Declaration
    reader: FeatureReader
    clock: Clock
    metrics: Metrics
    on_scored: OnScored

    async def score(self, request: ScoreRequest, deadline: float) -> Scored:
        """``deadline``: by ``time.monotonic()``. Raises InvalidRequest for names that the model does not know.

        Call :meth:`record` with the result once the answer is sent.
        """
        inputs = await self.inputs(request, deadline)
        with self.metrics.stage("score"):
            scores = self.model.ranker.score(inputs.matrix)
            items = Ranking(request.item_ids, scores)
        answer = ScoreAnswer(
            request_id=new_request_id(),
            scored_at=timestamp_text(timestamp_of(inputs.scored_us)),
            model=self.model_name,
            items=items,
            degraded=inputs.degraded,
            missing=inputs.missing,
        )
        return Scored(request, inputs, scores, answer)

    async def inputs(self, request: ScoreRequest, deadline: float) -> Inputs:
        """Everything but the score. Raises InvalidRequest for unknown names and for facts out of their range."""
        refuse_unknown_names(request, self._sendable, self._context_names)
        with self.metrics.stage("read"):
            reading, degraded = await self._read(self._keys(request), deadline)
        with self.metrics.stage("derive"):
            slate = with_request(reading.slate, request, self.declaration)
            refuse_out_of_range(slate.facts, self.declaration)
            matrix = feature_matrix(slate, self.declaration, self.model.ranker.vocabulary)
            if request.sent:
                override(matrix, request.sent, self.model.contract.feature_names)
        return Inputs(slate.scored_us, matrix, reading.missing, degraded, reading.event_us)

    def record(self, scored: Scored) -> None:
        """Count the slate, and pass it on to the score log."""
        missing = scored.inputs.missing
        self.metrics.slate(
            len(scored.scores),
            missing=(missing.items, missing.user, missing.session),
            degraded=scored.inputs.degraded,
        )
        for view, times in scored.inputs.read_us.items():
            self.metrics.future_rows(view, int(np.count_nonzero(times > scored.inputs.scored_us)))
        self.on_scored(self._record(scored), scored.inputs.matrix)

    @cached_property
    def model_name(self) -> ModelName:
        return ModelName(self.model.name, self.model.version, self.model.kind)

    def _record(self, scored: Scored) -> ScoreRecord:
        request, inputs = scored.request, scored.inputs
        return ScoreRecord(
            request_id=scored.answer.request_id,
            scored_us=inputs.scored_us,
            clock=self.clock.mode,
            item_ids=request.item_ids,
            scores=scored.scores,
            model_name=self.model.name,
            model_version=self.model.version,
            contract_hash=self._contract_hash,
            degraded=inputs.degraded,
            user_id=request.user_id,
            session_id=request.session_id,
            context=request.context,
            read_us=inputs.read_us,
            sent=request.sent,
        )

    @cached_property
    def _contract_hash(self) -> str:
        return self.model.contract.contract_hash

    @cached_property
    def _sendable(self) -> frozenset[str]:
        """Features that a request may have for an item: numbers, not categories."""
        return frozenset(each.name for each in self.model.contract.features if each.dtype != CATEGORY)

    @cached_property
    def _context_names(self) -> frozenset[str]:
        return frozenset(column.name for column in self.declaration.context)

    def _keys(self, request: ScoreRequest) -> Keys:
        """The timestamp is the store's where it reads a user or a session, otherwise this machine's."""
        now_us = epoch_us(self.clock.now())
        return Keys(
            request.user_id,
            request.session_id,
            request.item_ids,
            now_us,
            request.positions,
            self._service_us,
            request.context,
        )

    def _service_us(self, machine_us: int) -> int:
        return epoch_us(self.clock.at(machine_us))

    async def _read(self, keys: Keys, deadline: float) -> tuple[Reading, bool]:
        """The reading, and whether it is without the store."""
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


def refuse_out_of_range(facts: Mapping[str, npt.NDArray[np.float32]], declaration: Declaration) -> None:
    """Facts become columns of the log, whose gate has the same range. Raises InvalidRequest."""
    problems: list[Problem] = []
    for fact in declaration.facts if facts else ():
        low = -np.inf if fact.minimum is None else fact.minimum
        high = np.inf if fact.maximum is None else fact.maximum
        values = facts[fact.name]
        for i in np.flatnonzero((values < low) | (values > high)):
            problems.append(Problem(("items", int(i), "features", fact.name), f"must be from {low:g} to {high:g}"))
    if problems:
        raise InvalidRequest(problems)


def override(matrix: Floats, sent: Sequence[tuple[int, Mapping[str, float | None]]], names: Sequence[str]) -> None:
    """Write the values that the caller sent for some rows into ``matrix`` (n, f), whose columns are ``names``.

    Only the named columns change: a sent ``price`` does not alter ``price_vs_slate``.
    """
    column = {name: j for j, name in enumerate(names)}
    for i, features in sent:
        for name, value in features.items():
            matrix[i, column[name]] = _number(value)


def new_request_id() -> str:
    """128 bits of the kernel's: feedback joins a slate by its id, so nobody may work out another's from their own."""
    return secrets.token_hex(16)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
