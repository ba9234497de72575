"""From a user to the items worth showing: candidates, scores, rules, exploration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from feature_repo.live.score_records import RECOMMEND, ScoreRecord
from feature_repo.schema import Declaration
from infra.clock import Clock, epoch_us, timestamp_of, timestamp_text
from infra.models.arrays import Doubles
from infra.models.model_store import LoadedModel
from serving.errors import InvalidRequest, Problem
from serving.features.reading import Keys
from serving.metrics import Metrics
from serving.recommend.answers import RecommendAnswer, RecommendedItem, SourceShare
from serving.recommend.candidate_slates import CandidateSlate, CandidateSlates
from serving.recommend.exploration import Draw, NewItems, inserted
from serving.recommend.policy import Policy
from serving.recommend.recommend_parser import RecommendRequest
from serving.recommend.rules import Rule, apply_all, excluded
from serving.score.answers import ModelName
from serving.score.ranking import best_first
from serving.score.scorer import OnScored, new_request_id

FILL = 2  # trending items that are looked at for each item that is asked for


@dataclass(frozen=True)
class Recommended:
    """A scored slate and the answer. ``scores``: (n,); ``chosen``: positions of the answered items, in order.

    ``filled``: from this position on, the candidates are trending items that fill the answer up.
    """

    made: CandidateSlate
    scores: Doubles
    chosen: Sequence[int]
    draw: Draw
    filled: int
    answer: RecommendAnswer


@dataclass(frozen=True)
class Recommender:
    """One model of stage two in service, with its sources."""

    model: LoadedModel
    slates: CandidateSlates
    policy: Policy
    new_items: NewItems
    clock: Clock
    metrics: Metrics
    on_scored: OnScored = field(repr=False)

    async def recommend(self, request: RecommendRequest, deadline: float, *, explore: bool = True) -> Recommended:
        """``deadline``: by ``time.monotonic()``. Raises InvalidRequest for a context that is not declared.

        Call :meth:`record` with the result once the answer is sent.
        """
        refuse_unknown_context(request, self.context_names)
        request_id = new_request_id()
        rng = np.random.default_rng(int(request_id, 16))
        made, draw = await self._made(request, deadline, rng, explore=explore)
        if made.is_behind:  # an item changed after the user was read: ask again, once, for a later timestamp
            made, draw = await self._made(request, deadline, rng, explore=explore)
        filled = len(made.slate)
        ranked, drawn, scores, removed = self._ranked(made, draw, filled)
        while len(ranked) < request.k and filled == len(made.slate) and (more := self._fill(made, request.k)):
            wanted = made.candidates.extended(more)
            made = await self.slates.slate(made.asker, wanted, deadline)
            if made.candidates is not wanted:  # the store is away now: other candidates, which are filled up in turn
                draw, filled = Draw(), len(made.slate)
            ranked, drawn, scores, removed = self._ranked(made, draw, filled)
        chosen = inserted(ranked, drawn, request.k, rng)
        answer = RecommendAnswer(
            request_id=request_id,
            scored_at=timestamp_text(timestamp_of(made.slate.scored_us)),
            model=self.model_name,
            items=self._items(made, scores, chosen, set(drawn), filled),
            candidates=len(made.slate),
            removed=removed,
            degraded=made.degraded,
            missing=made.reading.missing,
        )
        return Recommended(made, scores, chosen, draw, filled, answer)

    async def _made(
        self, request: RecommendRequest, deadline: float, rng: np.random.Generator, *, explore: bool
    ) -> tuple[CandidateSlate, Draw]:
        asker = await self.slates.asker(request, self._keys(request), deadline)
        listed = self.slates.candidates(asker)
        draw = Draw()
        if explore and asker.entities is not None:  # nothing is known of new items without the store
            draw = self.new_items.draw(asker.scored_us, request.k, set(listed.item_ids), rng)
        made = await self.slates.slate(asker, listed.extended(draw.item_ids), deadline)
        return made, Draw() if made.degraded else draw

    def record(self, done: Recommended) -> None:
        """Count the slate, and pass it on to the score log. A slate without candidates is only counted."""
        made, items, missing = done.made, done.answer.items, done.answer.missing
        counts = {
            "explored": sum(each["explored"] for each in items),
            "filled": sum(each["filled"] for each in items),
        }
        self.metrics.recommended({**counts, "ranked": len(items) - sum(counts.values())}, done.answer.removed)
        self.metrics.slate(
            len(done.scores), missing=(missing.items, missing.user, missing.session), degraded=made.degraded
        )
        if len(done.scores):
            self.on_scored(self._record(done), made.matrix)

    @property
    def declaration(self) -> Declaration:
        return self.slates.declaration

    @cached_property
    def context_names(self) -> frozenset[str]:
        return frozenset(column.name for column in self.declaration.context)

    @cached_property
    def model_name(self) -> ModelName:
        return ModelName(self.model.name, self.model.version, self.model.kind)

    def _ranked(
        self, made: CandidateSlate, draw: Draw, filled: int
    ) -> tuple[list[int], list[int], Doubles, dict[str, int]]:
        """Positions that the rules leave: ranked ones with the filling ones behind, and drawn ones; scores; counts."""
        slate, request = made.slate, made.asker.request
        with self.metrics.recommend_stage("score"):
            scores = self.model.ranker.score(made.matrix) if len(slate) else np.empty(0)
            best = best_first(scores[:filled])
        with self.metrics.recommend_stage("rules"):
            drawn = slate.positions_of(draw.item_ids)
            order = np.concatenate([best[~np.isin(best, drawn)], np.arange(filled, len(slate))]).astype(np.int64)
            rules = self._rules(request)
            kept, removed = apply_all(rules, slate, order, request.k)
            only_removing = [rule for rule in rules if not rule.moves]
            kept_drawn, _ = apply_all(only_removing, slate, np.array(drawn, np.int64), request.k)
        return kept.tolist(), kept_drawn.tolist(), scores, removed

    def _rules(self, request: RecommendRequest) -> list[Rule]:
        return [excluded(request.exclude), request.filters.rule(), *self.policy.rules]

    def _fill(self, made: CandidateSlate, k: int) -> list[str]:
        """Trending items that are not candidates yet."""
        known = made.slate.positions
        found = self.slates.trending(made.asker, FILL * k + len(known))
        return [item for item in found if item not in known][: FILL * k]

    def _items(
        self, made: CandidateSlate, scores: Doubles, chosen: Sequence[int], drawn: set[int], filled: int
    ) -> list[RecommendedItem]:
        names = self.slates.sources.names
        ids, columns = made.slate.item_ids, made.candidates.columns
        return [
            {
                "item_id": ids[i],
                "score": float(scores[i]),
                "rank": rank,
                "sources": source_shares(names, columns[i].tolist()),
                "explored": i in drawn,
                "filled": i >= filled,
            }
            for rank, i in enumerate(chosen, 1)
        ]

    def _record(self, done: Recommended) -> ScoreRecord:
        made, request = done.made, done.made.asker.request
        ids, positions = made.slate.item_ids, made.slate.positions
        return ScoreRecord(
            request_id=done.answer.request_id,
            scored_us=made.slate.scored_us,
            clock=self.clock.mode,
            item_ids=ids,
            scores=done.scores,
            model_name=self.model.name,
            model_version=self.model.version,
            contract_hash=self._contract_hash,
            degraded=made.degraded,
            user_id=request.user_id,
            session_id=request.session_id,
            context=request.context,
            read_us=made.reading.event_us,
            kind=RECOMMEND,
            answered=[ids[i] for i in done.chosen],
            removed=done.answer.removed,
            explored=[(item, done.draw.propensity) for item in done.draw.item_ids if item in positions],
        )

    @cached_property
    def _contract_hash(self) -> str:
        return self.model.contract.contract_hash

    def _keys(self, request: RecommendRequest) -> Keys:
        """The timestamp is the store's where it reads a user or a session, otherwise this machine's."""
        now_us = epoch_us(self.clock.now())
        return Keys(request.user_id, request.session_id, (), now_us, service_us=lambda us: epoch_us(self.clock.at(us)))


def source_shares(names: Sequence[str], columns: Sequence[float]) -> list[SourceShare]:
    """``columns``: score and rank (from 0) of each source, NaN where it does not list the item."""
    shares = zip(names, columns[::2], columns[1::2], strict=True)
    return [
        {"name": name, "score": score, "rank": int(rank) + 1}
        for name, score, rank in shares
        if rank == rank  # not NaN
    ]


def refuse_unknown_context(request: RecommendRequest, known: frozenset[str]) -> None:
    """Raises InvalidRequest."""
    problems = [
        Problem(("context", name), "not a context of this data set") for name in request.context if name not in known
    ]
    if problems:
        raise InvalidRequest(problems)
