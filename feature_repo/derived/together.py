"""How often the item is ordered together with what is in the cart."""

from __future__ import annotations

import math

from feature_repo.derived.family import Column, Sparse, derived
from feature_repo.schema import Declaration
from feature_repo.slate import Slate

FEATURES = (
    ("together_sum", "summed share with which the cart's items are ordered with the item", "ratio"),
    ("together_max", "largest such share", "ratio"),
)


@derived(version=1, reads=("item_companions", "session_state:cart_items"), gives=FEATURES)
def together(slate: Slate, _: Declaration) -> dict[str, Column]:
    if not slate.companions:
        return {"together_sum": math.nan, "together_max": math.nan}
    sums: dict[int, float] = {}
    largest: dict[int, float] = {}
    for cart_item in sorted(slate.companions):  # a fixed order, so that sums are equal bit for bit
        companions, shares = slate.companions[cart_item]
        if slate.positions.keys().isdisjoint(companions):
            continue
        for companion, share in zip(companions, shares, strict=True):
            position = slate.positions.get(companion)
            if position is not None:
                sums[position] = sums.get(position, 0.0) + share
                largest[position] = max(largest.get(position, 0.0), share)
    if not sums:
        return {"together_sum": 0.0, "together_max": 0.0}
    return {
        "together_sum": Sparse(list(sums), list(sums.values()), 0.0),
        "together_max": Sparse(list(largest), list(largest.values()), 0.0),
    }
