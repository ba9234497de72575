"""Why an item stands where it does, in plain words: what each feature adds to its score beside the shelf's mean.

What is the same for all items of a list moves none of them, so the shares of :mod:`serving.score.explain` are compared
with their mean over the list: the bars of an item sum to its score less the mean score.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feature_repo.candidates.stage_two_features import recommend_features
from feature_repo.model_features import model_features
from feature_repo.schema import Feature
from serving.errors import Busy, NotExplainable, NotReady
from serving.recommend.explain_recommended import explain_recommended
from serving.score.answers import ExplainAnswer
from serving.score.explain import explain
from serving.web.people.visits import Visit
from serving.web.shelves import Shelves, recommend_request, score_request

SHOWN = 6
WAIT_S = 3.0
BASELINE = (
    "A baseline puts this list in order, because no trained model has been promoted for it. It sorts by one value "
    "alone, so there are no facts to weigh."
)
_UNITS = ((60.0, "seconds"), (60.0, "minutes"), (24.0, "hours"), (7.0, "days"), (math.inf, "weeks"))


@dataclass(frozen=True)
class Reason:
    """``share``: of the score; ``width``: of its bar, 0 to 100, the longest bar being 100."""

    words: str
    value: str
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
    shares = {name: share - mean[name] for name, share in item["contributions"].items()}
    largest = sorted(shares, key=lambda name: -abs(shares[name]))[:SHOWN]
    by_name = {feature.name: feature for feature in features}
    longest = max((abs(shares[name]) for name in largest), default=0.0) or 1.0
    reasons = [_reason(by_name[name], item["values"], shares[name], longest) for name in largest if shares[name]]
    return Explained(
        reasons,
        rest=sum(share for name, share in shares.items() if name not in largest),
        difference=sum(shares.values()),
        rank=rank + 1,
        of=many,
        model=f"{answer.model.name} version {answer.model.version}",
        is_degraded=answer.degraded,
    )


def _reason(feature: Feature, values: Mapping[str, float | None], share: float, longest: float) -> Reason:
    value = values[feature.name]
    return Reason(feature.description, in_words(value, feature.unit), share, max(2, round(100 * abs(share) / longest)))


def in_words(value: float | None, unit: str) -> str:
    """``3 days``, ``yes``, ``0.25``, ``unknown``."""
    if value is None or math.isnan(value):
        return "unknown"
    if unit == "flag":
        return "yes" if value else "no"
    if unit == "s":
        return _duration(value)
    if unit in ("count", "rank", "hour", "day", "code"):
        return f"{value:.4g}"
    return f"{value:,.2f}" if unit == "money" else f"{value:.3g}"


def _duration(seconds: float) -> str:
    name = ""
    for size, name in _UNITS:  # noqa: B007  the last unit whose size the loop reached
        if abs(seconds) < 2 * size:
            break
        seconds /= size
    return f"{seconds:.3g} {name}"
