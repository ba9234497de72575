"""The baselines that a model must beat. Each sorts the slate by a few features.

random              a seeded hash, without information
input_order         the order of the request
popularity          most orders in 28 days first; if the log has no orders, the next column that it has
purchase_frequency  the user's most often ordered items first, ties by popularity
decayed_frequency   the same, each order counted half as much after 60 days
recency             the user's last ordered items first, items that the user never ordered last, ties by popularity
last_touched        what this session touched last first, then the order of the request
click_through       the item's smoothed share of positives in earlier slates (training/training_set/click_through.py)

``random`` and ``click_through`` are yardsticks and never serve: the one has no use, the other reads no features.
"""

from __future__ import annotations

from infra.models.ranker import RANDOM_KEY, BaselineRanker, SortKey
from training.training_set.click_through import NAME as CLICK_THROUGH

BASELINES = (
    "random",
    "input_order",
    "popularity",
    "purchase_frequency",
    "decayed_frequency",
    "recency",
    "last_touched",
)
YARDSTICKS = (*BASELINES, CLICK_THROUGH)
CALLERS_ORDER, RANDOM = "input_order", "random"
SERVED = tuple(name for name in BASELINES if name != RANDOM)  # what may be a champion
POPULARITY = ("orders_28d", "carts_28d", "views_28d")


def baselines(feature_names: tuple[str, ...], popularity: tuple[str, ...] = POPULARITY) -> dict[str, BaselineRanker]:
    """All baselines for a matrix with these columns, in the order of BASELINES.

    ``popularity``: its columns, the most informative first. If a column is NaN for the whole slate, the next one
    decides. Raises BadModel for a column that is not in ``feature_names``.
    """
    popular: tuple[SortKey, ...] = tuple((column, 1) for column in popularity)
    keys: dict[str, tuple[SortKey, ...]] = {
        "random": ((RANDOM_KEY, 1),),
        "input_order": (("input_position", -1),),
        "popularity": popular,
        "purchase_frequency": (("bought_count", 1), *popular),
        "decayed_frequency": (("bought_decayed_60d", 1), *popular),
        "recency": (("bought_age_s", -1), *popular),
        "last_touched": (("touched_age_s", -1), ("input_position", -1)),
    }
    return {name: BaselineRanker(name, keys[name], feature_names) for name in BASELINES}
