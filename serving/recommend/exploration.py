"""A share of an answer for new items that no source lists yet, drawn at random and logged with their propensity.

Nothing is known of a new item's demand until it is shown. With ``share`` s and k items, s k new items are drawn on
average, uniformly from the pool of those that are new and not among the candidates; each is shown at a position drawn
uniformly. So an item's propensity is s k / size of the pool, at most 1, before the rules.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

import numpy as np

from serving.recommend.policy import Explore
from serving.recommend.rules import DAY_US

POOL_S = 1.0  # how long a pool is used; what is drawn is read from the store like every candidate


@dataclass(frozen=True)
class Draw:
    """``item_ids``: the drawn items, each with the same ``propensity``."""

    item_ids: Sequence[str] = ()
    propensity: float = 0.0


class NewItems:
    """The pool. ``first_seen_since``: the items first seen at or after a timestamp in µs, in any order.

    Not thread-safe: all calls come from the loop.
    """

    def __init__(self, first_seen_since: Callable[[int], Sequence[str]], explore: Explore) -> None:
        self._first_seen_since = first_seen_since
        self._explore = explore
        self._pool: list[str] = []
        self._until_s = -1.0

    def draw(self, scored_us: int, k: int, candidates: Set[str], rng: np.random.Generator) -> Draw:
        """``candidates``: what the sources list already."""
        wanted = self._explore.share * k
        if not wanted:
            return Draw()
        pool = [item for item in self._pool_at(scored_us) if item not in candidates]
        count = min(int(wanted + rng.random()), len(pool))  # its mean is ``wanted``
        drawn = rng.choice(len(pool), count, replace=False).tolist() if count else []
        return Draw([pool[i] for i in drawn], min(1.0, wanted / len(pool)) if pool else 0.0)

    def _pool_at(self, scored_us: int) -> list[str]:
        if time.monotonic() >= self._until_s:
            self._pool = sorted(self._first_seen_since(int(scored_us - self._explore.days * DAY_US)))
            self._until_s = time.monotonic() + POOL_S
        return self._pool


def inserted(ranked: Sequence[int], drawn: Sequence[int], k: int, rng: np.random.Generator) -> list[int]:
    """At most ``k`` positions: ``ranked`` in their order, with each of ``drawn`` at an index drawn uniformly."""
    drawn = drawn[:k]
    others = list(ranked[: k - len(drawn)])
    size = len(others) + len(drawn)
    at = dict(zip(rng.choice(size, len(drawn), replace=False).tolist(), drawn, strict=True)) if drawn else {}
    rest = iter(others)
    return [at[i] if i in at else next(rest) for i in range(size)]
