"""What a shop has before it has a model, each as a ranker on the same features.

Ties are counted against every ranker, so the two that know only what the user bought go on by popularity
where they know nothing: a stronger opponent than the bare rule.
"""

from __future__ import annotations

from collections.abc import Sequence

from infra.ranker import BaselineRanker, SortKey

_POPULARITY = (SortKey("orders_28d"), SortKey("orders_7d"), SortKey("views_28d"))

BASELINES: dict[str, tuple[SortKey, ...]] = {
    "random": (),
    "input_order": (SortKey("input_position", -1),),
    "popularity": _POPULARITY,
    "purchase_frequency": (SortKey("bought_count"), *_POPULARITY),
    "purchase_recency": (SortKey("bought_age_s", -1), *_POPULARITY),
}


def baselines(feature_names: Sequence[str], seed: int) -> dict[str, BaselineRanker]:
    return {name: BaselineRanker(name, keys, tuple(feature_names), seed) for name, keys in BASELINES.items()}
