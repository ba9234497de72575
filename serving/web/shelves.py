"""Lists of items in the order that the visitor chose: by the ranker, by popularity, or as the caller has them.

The ranker's lists come from the services behind ``/score``, ``/recommend`` and ``/similar``, called in this process and
recorded like any other answer. Without a model or without the feature store there is a list all the same: popular
items, and the shelf says why.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from feature_repo.slate import positions
from infra.clock import Clock, epoch_us
from infra.limits import MAX_ITEMS
from serving.errors import NotReady, UnknownItem
from serving.features.feature_readers import FeatureReaders
from serving.features.reading import Keys, StoreAway
from serving.features.redis_reader import Entities
from serving.recommend.recommend_parser import RecommendRequest
from serving.recommend.service import RecommendModel
from serving.recommend.similar import Similar
from serving.score.answers import ModelName
from serving.score.champion import ChampionService
from serving.score.score_parser import ScoreRequest
from serving.web.goods.catalogue import Catalogue
from serving.web.goods.items import ShopItem
from serving.web.people.visits import Ordering, Visit

CANDIDATES = 200  # of a category or a search, the most popular ones
READ_SHARE = 0.3  # of the time left, for what the items are now
TILE_COLUMNS = ("category_id", "brand", "price", "old_price", "in_stock", "orders_28d")

STORE_AWAY = "The feature store does not answer at the moment, so these are popular items. The shop recovers by itself."
NO_MODEL = "No model is in service at the moment, so these are popular items."


@dataclass(frozen=True)
class Placed:
    """An item on a shelf. ``sources``: what listed it. ``score``: of the ranker, None where nobody scored it."""

    item: ShopItem
    score: float | None = None
    sources: Sequence[str] = ()
    is_explored: bool = False
    is_filled: bool = False


@dataclass(frozen=True)
class Shelf:
    """``request_id``: of the answer that this is; None where no model was asked. ``problem``: for the visitor."""

    placed: Sequence[Placed]
    ordering: Ordering
    candidates: int
    request_id: str | None = None
    model: ModelName | None = None
    scored_at: str | None = None
    problem: str = ""
    removed: Mapping[str, int] = field(default_factory=dict)

    def first(self, k: int) -> Shelf:
        return replace(self, placed=self.placed[:k])


@dataclass(frozen=True)
class Shelves:
    catalogue: Catalogue
    champion: ChampionService
    recommend: RecommendModel
    clock: Clock

    async def for_you(self, visit: Visit, k: int, ordering: Ordering, deadline: float) -> Shelf:
        """What ``/recommend`` answers; ``given``: its candidates in the order in which the sources list them."""
        if ordering == "popularity":
            return await self.ordered(visit, self.catalogue.popular(max(k, CANDIDATES)), ordering, deadline)
        try:
            recommender = self.recommend.get()
        except NotReady:
            return await self.ordered(visit, self.catalogue.popular(max(k, CANDIDATES)), ordering, deadline)
        done = await recommender.recommend(recommend_request(visit, k, recommender.context_names), deadline)
        recommender.record(done)
        answer = done.answer
        placed: list[Placed]
        if ordering == "given":
            ids = done.made.slate.item_ids[: min(k, done.filled)]
            placed = [Placed(item) for item in (await self.items(ids, deadline)).values()]
        else:
            items = await self.items([each["item_id"] for each in answer.items], deadline)
            placed = [
                Placed(
                    items[each["item_id"]],
                    each["score"],
                    [share["name"] for share in each["sources"]],
                    each["explored"],
                    each["filled"],
                )
                for each in answer.items
            ]
        return Shelf(
            placed,
            ordering,
            answer.candidates,
            answer.request_id,
            answer.model,
            answer.scored_at,
            STORE_AWAY if answer.degraded else "",
            answer.removed,
        )

    async def ordered(self, visit: Visit, item_ids: Sequence[str], ordering: Ordering, deadline: float) -> Shelf:
        """``item_ids``: the candidates, the most popular first. The ranker's order is what ``/score`` answers."""
        ids = list(item_ids[:MAX_ITEMS])
        items = await self.items(ids, deadline)
        if ordering != "ranker" or not ids:
            by_popularity = sorted(ids, key=lambda each: -items[each].popularity)
            chosen = by_popularity if ordering == "popularity" else sorted(ids)
            return Shelf([Placed(items[each]) for each in chosen], ordering, len(ids))
        try:
            scorer = self.champion.scorer()
        except NotReady:
            return Shelf([Placed(items[each]) for each in ids], "popularity", len(ids), problem=NO_MODEL)
        known = {column.name for column in scorer.declaration.context}
        scored = await scorer.score(score_request(visit, ids, known), deadline)
        scorer.record(scored)
        answer = scored.answer
        if answer.degraded:  # the ranker knows nothing of the items then
            placed = [Placed(items[each]) for each in ids]
        else:
            placed = [Placed(items[each.item_id], each.score) for each in answer.items.listed()]
        return Shelf(
            placed,
            ordering,
            len(ids),
            answer.request_id,
            answer.model,
            answer.scored_at,
            STORE_AWAY if answer.degraded else "",
        )

    async def similar(self, item_id: str, k: int, deadline: float) -> Shelf:
        """What ``/similar`` answers; without it, or where nothing is alike, popular items of the same category."""
        try:
            answer = await Similar(self.recommend.get()).similar(item_id, k, deadline)
        except (NotReady, UnknownItem):
            return await self._same_category(item_id, k, deadline)
        if not answer.items:
            return await self._same_category(item_id, k, deadline)
        items = await self.items([each["item_id"] for each in answer.items], deadline)
        placed = [
            Placed(items[each["item_id"]], None, [share["name"] for share in each["sources"]]) for each in answer.items
        ]
        return Shelf(placed, "ranker", len(placed), model=answer.model, problem=STORE_AWAY if answer.degraded else "")

    async def items(self, item_ids: Sequence[str], deadline: float) -> dict[str, ShopItem]:
        """As the feature store has them now; as the log had them where the store does not answer."""
        found = {item_id: self.catalogue.item(item_id) for item_id in item_ids}
        features = self.features
        if features is None or not found:
            return found
        ids = list(found)
        now_us = epoch_us(self.clock.now())
        keys = Keys(None, None, ids, now_us, service_us=lambda us: epoch_us(self.clock.at(us)))
        try:
            left_s = READ_SHARE * (deadline - time.monotonic())
            reading = await features.items(Entities.unknown(now_us), keys, left_s)
        except StoreAway:
            return found
        columns = {name: reading.slate.items[name] for name in TILE_COLUMNS if name in reading.slate.items}
        return {
            item_id: found[item_id].with_row({name: _value(values[i]) for name, values in columns.items()})
            for i, item_id in enumerate(ids)
        }

    @property
    def features(self) -> FeatureReaders | None:
        return self.champion.features or self.recommend.features

    async def _same_category(self, item_id: str, k: int, deadline: float) -> Shelf:
        category = self.catalogue.item(item_id).category_id
        ids = [] if category is None else self.catalogue.of_category(category, k + 1)
        found = await self.items([each for each in ids if each != item_id][:k], deadline)
        return Shelf([Placed(item) for item in found.values()], "popularity", len(found))


def recommend_request(visit: Visit, k: int, context: frozenset[str]) -> RecommendRequest:
    known = {name: value for name, value in visit.context.items() if name in context}
    return RecommendRequest(visit.user_id or None, visit.session_id, k, known)


def score_request(visit: Visit, item_ids: Sequence[str], context: set[str]) -> ScoreRequest:
    known = {name: value for name, value in visit.context.items() if name in context}
    ids = list(item_ids)
    return ScoreRequest(ids, positions(ids), user_id=visit.user_id or None, session_id=visit.session_id, context=known)


def _value(value: Any) -> Any:
    return float(value) if isinstance(value, np.floating) else value
