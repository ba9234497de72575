"""Exactly k items for each user: the best candidates, filled up with trending items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.recommend.errors import NotEnough
from training.recommend.judged_lists import ListMass
from training.recommend.submission import Submission
from training.stage_two.predict import Ranked


@dataclass(frozen=True)
class ItemLists:
    """``submission``: q users with k items each, some perhaps trending; ``mass``: of their candidates."""

    submission: Submission
    mass: ListMass


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
        items.append(filled(listed, k, trending))
    lists = ranked.lists
    mass = ListMass.of(ranked.probability, lists.rows, lists.positions, len(lists), k)
    return ItemLists(Submission(ranked.user_id.tolist(), items, scores), mass)


def _end(ranked: Ranked, row: int) -> int:
    return int(ranked.lists.starts[row + 1])


def filled(listed: list[str], k: int, trending: Sequence[str]) -> list[str]:
    if len(listed) == k:
        return listed
    taken = set(listed)
    found = listed + [item for item in trending if item not in taken][: k - len(listed)]
    if len(found) < k:
        raise NotEnough(f"only {len(found)} items are known that a list of {k} could hold: ask for a smaller --k")
    return found
