"""Why an item stands where it does, in plain words: what each theme adds to its score beside the shelf's mean.

What is the same for all items of a list moves none of them, so the shares of :mod:`serving.score.explain` are compared
with their mean over the list: the bars of an item sum to its score less the mean score.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from feature_repo.candidates.stage_two_features import recommend_features
from feature_repo.definitions.view import Feature
from feature_repo.model_features import model_features
from serving.errors import Busy, NotExplainable, NotReady
from serving.recommend.explain_recommended import explain_recommended
from serving.score.answers import ExplainAnswer
from serving.score.explain import explain
from serving.web.people.visits import Visit
from serving.web.shelves import Shelves, recommend_request, score_request
from serving.web.themes import theme_of

SHOWN = 6
WAIT_S = 3.0
BASELINE = (
    "A baseline puts this list in order, because no trained model has been promoted for it. It sorts by one value "
    "alone, so there are no facts to weigh."
)


@dataclass(frozen=True)
class Reason:
    """One theme. ``share``: of the score; ``width``: of its bar, 0 to 100, the longest bar being 100."""

    words: str
    detail: str
    share: float
    width: int

    @property
    def raises(self) -> bool:
        return self.share > 0


@dataclass(frozen=True)
class Explained:
    """``difference``: the item's score less the shelf's mean. The reasons and the ``rest`` sum to it."""

    reasons: Sequence[Reason]
    rest: float
    difference: float
    rank: int
    of: int
    model: str
    is_degraded: bool

    @property
    def sentence(self) -> str:
        raising = [reason.words for reason in self.reasons if reason.raises][:2]
        lowering = [reason.words for reason in self.reasons if not reason.raises][:1]
        parts = []
        if raising:
            parts.append(f"What lifts it most: {' and '.join(raising)}.")
        if lowering:
            parts.append(f"What holds it back: {lowering[0]}.")
        return " ".join(parts) or "Nothing sets it apart from the other items here."


class NothingToExplain(Exception):
    """The message is for the visitor."""


class Explainer:
    """One explanation is made at a time: it takes a core for a good part of a second."""

    def __init__(self, shelves: Shelves) -> None:
        self._shelves = shelves
        self._one_at_a_time = asyncio.Lock()

    async def recommended(self, visit: Visit, item_id: str, k: int, deadline: float) -> Explained:
        """Of the shelf "for you". Raises NothingToExplain, or Busy."""
        async with _Turn(self._one_at_a_time):
            try:
                recommender = self._shelves.recommend.get()
                request = recommend_request(visit, k, recommender.context_names)
                answer = await explain_recommended(recommender, request, None, deadline)
            except NotReady as error:
                raise NothingToExplain(str(error)) from None
            except NotExplainable:
                raise NothingToExplain(BASELINE) from None
            features = recommend_features(recommender.declaration, recommender.slates.sources)
        return explained(answer, features, item_id)

    async def ordered(self, visit: Visit, item_id: str, candidates: Sequence[str], deadline: float) -> Explained:
        """Of a list that ``/score`` put in order. Raises NothingToExplain, or Busy."""
        async with _Turn(self._one_at_a_time):
            try:
                scorer = self._shelves.champion.scorer()
                known = {column.name for column in scorer.declaration.context}
                answer = await explain(scorer, score_request(visit, candidates, known), None, deadline)
            except NotReady as error:
                raise NothingToExplain(str(error)) from None
            except NotExplainable:
                raise NothingToExplain(BASELINE) from None
            features = model_features(scorer.declaration)
        return explained(answer, features, item_id)


class _Turn:
    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock = lock

    async def __aenter__(self) -> None:
        """Raises Busy."""
        try:
            async with asyncio.timeout(WAIT_S):
                await self._lock.acquire()
        except TimeoutError:
            raise Busy("other lists are being explained") from None

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


def explained(answer: ExplainAnswer, features: Sequence[Feature], item_id: str) -> Explained:
    """Raises NothingToExplain where the list, as it is now, does not hold the item."""
    rank = next((i for i, each in enumerate(answer.items) if each["item_id"] == item_id), None)
    if rank is None:
        raise NothingToExplain("This item has left the list since: the shelf follows what you do.")
    item, many = answer.items[rank], len(answer.items)
    mean = {name: sum(each["contributions"][name] for each in answer.items) / many for name in item["contributions"]}
    themes = {theme.words: theme for theme in map(theme_of, features)}
    shares = dict.fromkeys(themes, 0.0)
    for feature in features:
        shares[theme_of(feature).words] += item["contributions"][feature.name] - mean[feature.name]
    largest = sorted(shares, key=lambda words: -abs(shares[words]))[:SHOWN]
    longest = max((abs(shares[words]) for words in largest), default=0.0) or 1.0
    reasons = [
        Reason(words, themes[words].detail(item["values"]), shares[words], max(2, round(100 * abs(share) / longest)))
        for words in largest
        if (share := shares[words])
    ]
    return Explained(
        reasons,
        rest=sum(share for words, share in shares.items() if words not in largest),
        difference=sum(shares.values()),
        rank=rank + 1,
        of=many,
        model=f"{answer.model.name} version {answer.model.version}",
        is_degraded=answer.degraded,
    )
