"""Which items are like one item: the sources' neighbours, merged by reciprocal rank fusion.

An item's score is the sum of 1 / (60 + rank) over the sources that list it, with ranks from 1: the sources' own scores
have different scales and are not compared (Cormack, Clarke and Buettcher 2009).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feature_repo.candidates.item_codes import UNKNOWN
from feature_repo.candidates.source import SimilarItems
from feature_repo.slate import Slate
from infra.clock import epoch_us
from infra.models.arrays import Integers
from serving.errors import UnknownItem
from serving.features.reading import Keys, Reading, StoreAway, unread
from serving.features.redis_reader import Entities
from serving.recommend.answers import SimilarAnswer, SimilarItem, SourceShare
from serving.recommend.candidate_slates import READ_SHARE
from serving.recommend.recommend_parser import RecommendRequest
from serving.recommend.recommender import Recommender
from serving.recommend.rules import Rule, apply_all

RANK_CONSTANT = 60
LISTED = 3  # neighbours that a source is asked for, for each item of the answer: rules remove some
FALLBACK_ITEMS = 1_000  # trending items among which those of the same category are looked for
RULES = {"out_of_stock", "blocked_categories"}  # the others need a user or a session


@dataclass(frozen=True)
class Similar:
    """Answers ``GET /similar/{item_id}`` with the sources of a recommender."""

    recommender: Recommender

    async def similar(self, item_id: str, k: int, deadline: float) -> SimilarAnswer:
        """``deadline``: by ``time.monotonic()``. Raises UnknownItem."""
        now_us = epoch_us(self.recommender.clock.now())
        found = self._neighbours(item_id, LISTED * k)
        reading, is_read = await self._read([item_id, *found], now_us, deadline)
        is_fallback = not found
        if is_fallback:
            if self._is_unknown(item_id, reading, is_read):
                raise UnknownItem("neither the sources nor the feature store know this item")
            trending = [each for each in self._trending(now_us) if each != item_id]
            reading, is_read = await self._read([item_id, *trending], now_us, deadline)
        slate = reading.slate
        order = np.arange(1, len(slate))  # the item itself is at 0
        if is_fallback:
            order = _same_category(slate, order)
        order, removed = apply_all(self._rules, slate, order, k)
        names = [slate.item_ids[i] for i in order[:k].tolist()]
        return SimilarAnswer(
            item_id=item_id,
            model=self.recommender.model_name,
            items=[_item(name, rank, found.get(name, [])) for rank, name in enumerate(names, 1)],
            removed=removed,
            fallback=is_fallback,
            degraded=not is_read,
        )

    @property
    def _sources(self) -> list[tuple[str, SimilarItems]]:
        sources = self.recommender.slates.sources.sources
        return [(each.name, each) for each in sources if isinstance(each, SimilarItems)]

    @property
    def _rules(self) -> Sequence[Rule]:
        return [rule for rule in self.recommender.policy.rules if rule.name in RULES]

    def _neighbours(self, item_id: str, k: int) -> dict[str, list[SourceShare]]:
        """Item -> what each source says of it; the highest fused score first, equal ones by id."""
        codes = self.recommender.slates.sources.codes
        code = codes.code(item_id)
        listed: dict[str, list[SourceShare]] = {}
        for name, source in self._sources if code != UNKNOWN else ():
            found = source.similar(np.array([code], np.int32), k)
            for rank, (item, score) in enumerate(zip(codes.decode(found.items), found.scores.tolist(), strict=True), 1):
                listed.setdefault(item, []).append({"name": name, "score": score, "rank": rank})
        return dict(sorted(listed.items(), key=lambda each: (-fused(each[1]), each[0])))

    def _trending(self, now_us: int) -> list[str]:
        slates = self.recommender.slates
        return slates.trending(slates.known_asker(RecommendRequest(), now_us, None), FALLBACK_ITEMS)

    async def _read(self, item_ids: Sequence[str], now_us: int, deadline: float) -> tuple[Reading, bool]:
        """The items' rows, and whether they were read."""
        slates = self.recommender.slates
        clock = self.recommender.clock
        # With service_us the timestamp is the store's where an item has just changed.
        keys = Keys(None, None, item_ids, now_us, service_us=lambda us: epoch_us(clock.at(us)))
        try:
            with self.recommender.metrics.recommend_stage("read"):
                left_s = READ_SHARE * (deadline - time.monotonic())
                return await slates.reader.items(Entities.unknown(keys.scored_us), keys, left_s), True
        except StoreAway:
            return unread(keys, slates.declaration), False

    def _is_unknown(self, item_id: str, reading: Reading, is_read: bool) -> bool:
        """Without the store, what the sources do not know is unknown."""
        has_row = is_read and any(int(times[0]) > 0 for times in reading.event_us.values())
        return self.recommender.slates.sources.codes.code(item_id) == UNKNOWN and not has_row


def fused(shares: Sequence[SourceShare]) -> float:
    return sum(1 / (RANK_CONSTANT + share["rank"]) for share in shares)


def _same_category(slate: Slate, order: Integers) -> Integers:
    """Those of the category of candidate 0; none where it is unknown."""
    categories = slate.items["category_id"].tolist()
    return order[[categories[0] is not None and categories[i] == categories[0] for i in order.tolist()]]


def _item(item_id: str, rank: int, shares: list[SourceShare]) -> SimilarItem:
    return {"item_id": item_id, "score": fused(shares), "rank": rank, "sources": shares}
