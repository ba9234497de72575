"""The baselines a model has to beat, by name: each an order of the slate by one or two plain facts.

random              a seeded hash: no information
input_order         as the caller sent it
popularity          most ordered in 28 days; where a log has no orders, the next column that it has
purchase_frequency  what this user ordered most often, ties by popularity
recency             what this user ordered last, the never ordered last, ties by popularity
"""

from __future__ import annotations

from infra.models.ranker import RANDOM_KEY, BaselineRanker, SortKey

BASELINES = ("random", "input_order", "popularity", "purchase_frequency", "recency")
POPULARITY = ("orders_28d", "carts_28d", "views_28d")


def baselines(feature_names: tuple[str, ...], popularity: tuple[str, ...] = POPULARITY) -> dict[str, BaselineRanker]:
    """Every baseline over a matrix with these columns, in the order of BASELINES.

    ``popularity``: columns that stand for it, most telling first. A column that is NaN for the whole slate
    ties all of it, so the next one decides. Raises BadModel for a column that is not in ``feature_names``.
    """
    popular: tuple[SortKey, ...] = tuple((column, 1) for column in popularity)
    keys: dict[str, tuple[SortKey, ...]] = {
        "random": ((RANDOM_KEY, 1),),
        "input_order": (("input_position", -1),),
        "popularity": popular,
        "purchase_frequency": (("bought_count", 1), *popular),
        "recency": (("bought_age_s", -1), *popular),
    }
    return {name: BaselineRanker(name, keys[name], feature_names) for name in BASELINES}
