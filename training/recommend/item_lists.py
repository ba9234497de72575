"""Exactly k items for each user: the best candidates, filled up with trending items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from infra.models.arrays import Doubles
from training.recommend.errors import NotEnough
from training.recommend.submission import Submission
from training.stage_two.predict import Ranked


@dataclass(frozen=True)
class ItemLists:
    """``submission``: q users with k items each. ``mass``: (q,) sum of the probabilities of the k best candidates: the
    number of items of the list that a user who orders is expected to order.
    """

    submission: Submission
    mass: Doubles


def item_lists(ranked: Ranked, k: int, trending: Sequence[str]) -> ItemLists:
    """``trending``: the best first; 2 k of them fill up any list. Raises NotEnough if there are fewer and a list stays
    short.
    """
    items: list[list[str]] = []
    scores = np.full((len(ranked.lists), k), np.nan)
    for row in range(len(ranked.lists)):
        best = slice(int(ranked.lists.starts[row]), min(int(ranked.lists.starts[row]) + k, _end(ranked, row)))
        listed = ranked.item_id[best].tolist()
        scores[row, : len(listed)] = ranked.score[best]
        items.append(_filled(listed, k, trending))
    first = ranked.lists.positions < k
    mass = np.bincount(ranked.lists.rows[first], ranked.probability[first], minlength=len(ranked.lists))
    return ItemLists(Submission(ranked.user_id.tolist(), items, scores), mass.astype(np.float64))


def _end(ranked: Ranked, row: int) -> int:
    return int(ranked.lists.starts[row + 1])


def _filled(listed: list[str], k: int, trending: Sequence[str]) -> list[str]:
    if len(listed) == k:
        return listed
    taken = set(listed)
    found = listed + [item for item in trending if item not in taken][: k - len(listed)]
    if len(found) < k:
        raise NotEnough(f"only {len(found)} items are known that a list of {k} could hold: ask for a smaller --k")
    return found
