"""From a request to a ranked list: read, derive, score."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from feature_repo.model_features import feature_matrix
from feature_repo.schema import Declaration
from feature_repo.slate import Floats, Slate
from infra.clock import Clock
from infra.model_store import LoadedModel
from serving.errors import BadRequest
from serving.metrics import Metrics
from serving.reader import FeatureReader, Keys, StoredFeatures
from serving.requests import ScoreRequest
from serving.responses import Missing, ScoreAnswer, ScoredItem, ServedModel, instant_text


@dataclass(frozen=True)
class Scorer:
    """One model with its data set's declaration, over one reader. Holds no state of requests."""

    model: LoadedModel
    declaration: Declaration
    reader: FeatureReader
    clock: Clock
    metrics: Metrics
    deadline_s: float

    def score(self, request: ScoreRequest) -> ScoreAnswer:
        """Raises BadRequest for a feature or context name that the model does not have."""
        deadline = time.monotonic() + self.deadline_s
        self._refuse_unknown_names(request)
        scored_at = self.clock.now()
        keys = Keys(
            user_id=request.user_id,
            session_id=request.session_id,
            item_ids=[candidate.item_id for candidate in request.items],
            scored_us=int(scored_at.timestamp()) * 1_000_000 + scored_at.microsecond,
        )
        with self.metrics.stage("read"):
            found = self.reader.read(keys, deadline)
        with self.metrics.stage("derive"):
            matrix = self._matrix(request, keys, found)
        with self.metrics.stage("score"):
            scores = self.model.ranker.score(matrix)
        self._count(found, len(keys.item_ids))
        order = np.argsort(-scores, kind="stable")
        return ScoreAnswer(
            request_id=uuid.uuid4().hex,
            scored_at=instant_text(scored_at),
            model=ServedModel(name=self.model.name, version=self.model.version, kind=self.model.kind),
            items=[ScoredItem(item_id=keys.item_ids[i], score=float(scores[i])) for i in order],
            degraded=not found.complete,
            missing=Missing(items=found.missing_items, user=not found.user, session=not found.session),
        )

    def _refuse_unknown_names(self, request: ScoreRequest) -> None:
        known = set(self.model.contract.feature_names)
        for i, candidate in enumerate(request.items):
            for name in candidate.features.keys() - known:
                raise BadRequest(("items", i, "features", name), "the model has no feature of this name")
        for name in request.context.keys() - {column.name for column in self.declaration.context}:
            raise BadRequest(("context", name), "the data set declares no context of this name")

    def _matrix(self, request: ScoreRequest, keys: Keys, found: StoredFeatures) -> Floats:
        slate = Slate(
            scored_us=keys.scored_us,
            item_ids=keys.item_ids,
            items=found.items,
            user=found.user,
            session=found.session,
            companions=found.companions,
            facts={},
            context=request.context,
        )
        matrix = feature_matrix(slate, self.declaration)
        column = {name: j for j, name in enumerate(self.model.contract.feature_names)}
        for i, candidate in enumerate(request.items):
            _override(matrix, i, candidate.features, column)
        return matrix

    def _count(self, found: StoredFeatures, candidates: int) -> None:
        self.metrics.candidates.observe(candidates)
        self.metrics.missing.labels("items").inc(found.missing_items)
        self.metrics.missing.labels("user").inc(not found.user)
        self.metrics.missing.labels("session").inc(not found.session)
        self.metrics.degraded.inc(not found.complete)


def _override(matrix: Floats, row: int, sent: Mapping[str, float | None], column: Mapping[str, int]) -> None:
    for name, value in sent.items():
        matrix[row, column[name]] = np.nan if value is None else value
