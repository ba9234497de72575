"""The bodies of the answers to ``/recommend`` and ``/similar``."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import TypedDict  # pydantic accepts no other before Python 3.12

from serving.features.reading import Missing
from serving.score.answers import ModelName


class SourceShare(TypedDict):
    """What one source says of an item. ``rank``: in the source's own list, from 1."""

    name: str
    score: float
    rank: int


class RecommendedItem(TypedDict):
    """One item. ``rank``: in the answer, from 1. ``score``: of the model; it decides unless a rule or a draw does.

    ``sources``: what listed it. ``explored``: a new item, drawn at random. ``filled``: a trending item, because the
    rules left fewer than k others.
    """

    item_id: str
    score: float
    rank: int
    sources: list[SourceShare]
    explored: bool
    filled: bool


@dataclass(frozen=True)
class RecommendAnswer:
    """At most k items, the best first.

    ``candidates``: how many were ranked. ``removed``: rule -> how many of them it removed; for ``max_per_category``,
    how many it moved out of the first k. ``degraded``: the feature store was away or too slow, so that user, session
    and items were unknown and only the sources that need none of them were asked.
    """

    request_id: str
    scored_at: str
    model: ModelName
    items: list[RecommendedItem]
    candidates: int
    removed: dict[str, int]
    degraded: bool
    missing: Missing


class SimilarItem(TypedDict):
    """``score``: the sum of 1 / (60 + rank) over the sources that list it."""

    item_id: str
    score: float
    rank: int
    sources: list[SourceShare]


@dataclass(frozen=True)
class SimilarAnswer:
    """At most k items, the most similar first.

    ``fallback``: no source knows the item's neighbours, so these are trending items of its category.
    """

    item_id: str
    model: ModelName
    items: list[SimilarItem]
    removed: dict[str, int]
    fallback: bool
    degraded: bool
