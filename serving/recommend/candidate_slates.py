"""From a user and a session to the slate of candidates: read who asks, ask the sources, read what they list.

Both readings are for one timestamp. Where the store is away, user, session and items are unknown in all of them, and
the sources answer from memory.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from feature_repo.candidates.queries import Queries, queries_of_rows
from feature_repo.candidates.source import Source
from feature_repo.candidates.stage_two_features import recommend_features, recommend_matrix
from feature_repo.candidates.union import Sources
from feature_repo.schema import Declaration
from feature_repo.slate import Floats, Row, Slate
from infra.models.vocabulary import Vocabulary
from serving.features.reading import Keys, Reading, StoreAway, unread
from serving.features.redis_reader import Entities
from serving.metrics import Metrics
from serving.recommend.recommend_parser import RecommendRequest

READ_SHARE = 0.6  # of the time left, for each of the two readings
FALLBACK = "trending"  # the source that fills an answer up, and that a category's items are taken from


class CandidateReader(Protocol):
    async def entities(self, keys: Keys, timeout_s: float) -> Entities:
        """Raises StoreAway after at most ``timeout_s``."""
        ...

    async def items(self, entities: Entities, keys: Keys, timeout_s: float) -> Reading:
        """Raises StoreAway after at most ``timeout_s``."""
        ...


@dataclass(frozen=True)
class Asker:
    """Who asks, as read at ``scored_us``. ``entities``: None without the store; then nothing is known of them."""

    request: RecommendRequest
    scored_us: int
    entities: Entities | None
    queries: Queries


@dataclass(frozen=True)
class Candidates:
    """What the sources list, in their order. ``columns``: (n, 2 * sources) score and rank, NaN where not listed."""

    item_ids: Sequence[str]
    columns: Floats

    def extended(self, item_ids: Sequence[str]) -> Candidates:
        """With further items, which no source lists."""
        nothing = np.full((len(item_ids), self.columns.shape[1]), np.nan, np.float32)
        return Candidates([*self.item_ids, *item_ids], np.concatenate([self.columns, nothing]))


@dataclass(frozen=True)
class CandidateSlate:
    """A slate of candidates, ready to be scored: (n, f) ``matrix``."""

    asker: Asker
    candidates: Candidates
    reading: Reading
    slate: Slate
    matrix: Floats
    degraded: bool

    @property
    def is_behind(self) -> bool:
        """Whether a row that was read is newer than the slate's timestamp, so that it counts as missing."""
        return any(bool((times > self.slate.scored_us).any()) for times in self.reading.event_us.values())


@dataclass(frozen=True)
class CandidateSlates:
    """Makes slates with the sources and the vocabulary of one model."""

    sources: Sources
    vocabulary: Vocabulary
    declaration: Declaration
    reader: CandidateReader
    metrics: Metrics

    async def asker(self, request: RecommendRequest, keys: Keys, deadline: float) -> Asker:
        """``keys`` name no items. ``deadline``: by ``time.monotonic()``."""
        entities: Entities | None = None
        with self.metrics.recommend_stage("read"), suppress(StoreAway):
            entities = await self.reader.entities(keys, READ_SHARE * (deadline - time.monotonic()))
        return self.known_asker(request, keys.scored_us if entities is None else entities.scored_us, entities)

    def candidates(self, asker: Asker) -> Candidates:
        """Of all sources, in the order of the union."""
        with self.metrics.recommend_stage("candidates"):
            found = self.sources.candidates(asker.queries)
            return Candidates(asker.queries.decode(found.items), found.columns)

    def trending(self, asker: Asker, k: int) -> list[str]:
        """The ``k`` best of the source that knows items for everybody; none without it."""
        if self.fallback is None:
            return []
        return asker.queries.decode(self.fallback.candidates(asker.queries, k).items)

    async def slate(self, asker: Asker, candidates: Candidates, deadline: float) -> CandidateSlate:
        """Without the store, ``candidates`` are those that are known without a user and a session."""
        request = asker.request
        keys = Keys(request.user_id, request.session_id, candidates.item_ids, asker.scored_us, context=request.context)
        with self.metrics.recommend_stage("read"):
            reading = None
            if asker.entities is not None:
                try:
                    left_s = deadline - time.monotonic()
                    reading = await self.reader.items(asker.entities, keys, READ_SHARE * left_s)
                except StoreAway:
                    asker = self.known_asker(asker.request, asker.scored_us, None)
                    candidates = self.candidates(asker)
                    keys = replace(keys, item_ids=candidates.item_ids)
        is_read = reading is not None
        reading = reading or unread(keys, self.declaration)
        context = {name: value for name, value in asker.request.context.items() if value is not None}
        slate = replace(reading.slate, context=context)
        with self.metrics.recommend_stage("derive"):
            matrix = self._matrix(slate, candidates)
        return CandidateSlate(asker, candidates, reading, slate, matrix, degraded=not is_read)

    @cached_property
    def fallback(self) -> Source | None:
        return next((source for source in self.sources.sources if source.name == FALLBACK), None)

    def known_asker(self, request: RecommendRequest, scored_us: int, entities: Entities | None) -> Asker:
        """Of entities that were read; None: without the store."""
        user, session = (Row(), Row()) if entities is None else (entities.user, entities.session)
        context: Mapping[str, str] = {name: value for name, value in request.context.items() if value is not None}
        queries = queries_of_rows(self.sources.codes, [scored_us], [user], [session], [context])
        return Asker(request, scored_us, entities, queries)

    def _matrix(self, slate: Slate, candidates: Candidates) -> Floats:
        if not len(slate):
            return np.empty((0, len(recommend_features(self.declaration, self.sources))), np.float32)
        return recommend_matrix(slate, self.declaration, candidates.columns, self.vocabulary)
