"""What the user ordered: this item before, and items of its category."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt

from feature_repo.definitions.extents import BASKET_DECAY, HALF_LIVES_DAYS
from feature_repo.derived.family import (
    Column,
    Doubles,
    Integers,
    Sparse,
    at_candidates,
    derived,
    first_indices,
    or_nan,
)
from feature_repo.schema import Declaration
from feature_repo.slate import ItemRows, Row, Slate, Texts

FEATURES = (
    ("bought_before", "1 if the user ordered the item before", "flag"),
    ("bought_count", "times the user ordered the item", "count"),
    ("bought_share", "share of the user's orders that hold the item", "ratio"),
    ("bought_age_s", "since the user last ordered the item", "s"),
    ("bought_interval_s", "mean time between the user's orders of the item", "s"),
    ("bought_due", "bought_age_s over bought_interval_s", "ratio"),
    *(
        (f"bought_decayed_{days}d", f"orders of the item, weighted with a half-life of {days} days", "count")
        for days in HALF_LIVES_DAYS
    ),
    ("bought_weighted_60d", "as bought_decayed_60d, an order in a small basket counting more", "count"),
    ("bought_basket_decayed", f"the same with {BASKET_DECAY} for each later basket in place of the half-life", "count"),
    ("bought_baskets_ago", "baskets of the user after the latest one with the item", "count"),
    ("bought_basket_share", "orders of the item over the user's baskets since the first with it", "ratio"),
    ("bought_due_z", "bought_age_s less bought_interval_s, over the deviation of the intervals and 3 days", "ratio"),
    ("bought_rate", "bought_decayed_60d over its sum for all items of the user", "ratio"),
    ("category_share", "share of the user's ordered items in the item's category", "ratio"),
    ("category_age_s", "since the user last ordered from the item's category", "s"),
    *(
        (
            f"category_decayed_{days}d",
            f"orders of its category, weighted with a half-life of {days} days",
            "count",
        )
        for days in HALF_LIVES_DAYS
    ),
)
_HALF_LIVES_S = np.array(HALF_LIVES_DAYS)[:, None] * 86_400.0
_DECAYS_S = np.append(_HALF_LIVES_S, [[60 * 86_400.0]], axis=0)
_SIXTY = HALF_LIVES_DAYS.index(60)
_BASKETS = ("basket_decayed", "first_basket", "last_basket", "gap_sd_s")
_THREE_DAYS_S = 3 * 86_400.0


@dataclass(frozen=True)
class _History:
    """What a user ordered. It depends on the user's row alone, so it is computed once per row.

    first:       item -> its index in ``items``
    items:       (4, items): times ordered, share of the orders, latest order in µs, mean interval in s
    decayed:     (half-lives + 1, items): decayed orders at the latest one, and those weighted by the basket's size
    baskets:     (4, items): orders decayed by baskets, first and last basket, deviation of the intervals in s
    orders:      baskets of the user so far
    no_share:    the share of an item that was never ordered
    categories:  category -> its index in ``by_category``
    by_category: (2 + half-lives, categories + 2): share of the ordered items, latest order in µs, weighted orders at
                 the latest one. The last two columns are for a category without an order and for no category.
    """

    first: dict[str, int]
    items: Doubles
    decayed: Doubles
    baskets: Doubles
    orders: float
    no_share: float
    categories: dict[str | None, int]
    by_category: Doubles
    _by_number: dict[tuple[int, int], tuple[Integers, Integers]] = field(default_factory=dict)

    def category_indices(self, items: Mapping[str, npt.NDArray[Any]]) -> Integers:
        """(n,) column of ``by_category`` for each candidate."""
        never_ordered = self.by_category.shape[1] - 2
        if isinstance(items, ItemRows):
            wanted, texts = items.numbered("category_id")
            index_of = np.full(len(texts), never_ordered)
            numbers, indices = self._numbered(texts)
            index_of[numbers] = indices
            return index_of.take(wanted)
        categories = items["category_id"].tolist()
        return np.fromiter(map(self.categories.get, categories, repeat(never_ordered)), np.int64, len(categories))

    def decayed_60d_at(self, timestamp_us: int) -> float:
        """The decayed orders of all items."""
        return float((self.decayed[_SIXTY] * np.exp2(-(timestamp_us - self.items[2]) / 1e6 / _DECAYS_S[_SIXTY])).sum())

    def _numbered(self, texts: Texts) -> tuple[Integers, Integers]:
        """Numbers and indices of the categories that ``texts`` has numbers for."""
        key = (texts.serial, len(texts))
        if key not in self._by_number:
            numbers = np.array(texts.known(self.categories))
            indices = np.array(list(self.categories.values()))
            self._by_number.clear()
            self._by_number[key] = (numbers[numbers >= 0], indices[numbers >= 0])
        return self._by_number[key]


def _history(user: Row) -> _History:
    counts, first, last = (np.array(user[f"history_{name}"], np.float64) for name in ("counts", "first_us", "last_us"))
    ordered = user["history_categories"]
    codes: dict[str | None, int] = {category: index for index, category in enumerate(dict.fromkeys(ordered))}
    coded = np.fromiter(map(codes.__getitem__, ordered), int, len(ordered))
    categories = len(codes)
    latest = np.zeros(categories)
    np.maximum.at(latest, coded, last)
    codes |= {None: -1, "": -1}  # a candidate without a category has none of these values
    with np.errstate(divide="ignore", invalid="ignore"):
        orders = np.float64(or_nan(user.get("user_orders_all")))
        between = (last - first) / np.maximum(counts - 1, 1) / 1e6
        of_category = np.append(np.bincount(coded, counts, categories), (0.0, math.nan))
        decayed = np.array([user[f"history_decayed_{days}d"] for days in HALF_LIVES_DAYS], np.float64)
        weighted = np.array(user["history_weighted_60d"], np.float64)
        at_latest = decayed * np.exp2((last - latest[coded]) / 1e6 / _HALF_LIVES_S)
        decayed_of_category = [np.append(np.bincount(coded, each, categories), (0.0, math.nan)) for each in at_latest]
        return _History(
            first=first_indices(user["history_items"]),
            # The interval is NaN for an item that was ordered once, or several times at one timestamp.
            items=np.array((counts, counts / orders, last, np.where(between > 0, between, np.nan))),
            decayed=np.vstack([decayed, weighted]),
            baskets=np.array([user[f"history_{name}"] for name in _BASKETS], np.float64),
            orders=float(orders),
            no_share=float(0.0 / orders),
            categories=codes,
            by_category=np.array(
                (
                    of_category / (float(counts.sum()) or math.nan),
                    np.append(latest, (math.nan, math.nan)),
                    *decayed_of_category,
                )
            ),
        )


@derived(version=2, reads=("user_history", "item_attributes:category_id"), gives=FEATURES)
def history(slate: Slate, _: Declaration) -> dict[str, Column]:
    if slate.user.get("history_items") is None:
        return {name: math.nan for name, _, _ in FEATURES}
    ordered = slate.user.once(_history)
    share, last_us, *at_latest = ordered.by_category.take(ordered.category_indices(slate.items), axis=1)
    age = (slate.scored_us - last_us) / 1e6
    decayed = np.array(at_latest) * np.exp2(-np.nan_to_num(age) / _HALF_LIVES_S)  # a category without an order has 0
    return {
        **_bought(slate, ordered),
        "category_share": share,
        "category_age_s": age,
        **{f"category_decayed_{days}d": each for days, each in zip(HALF_LIVES_DAYS, decayed, strict=True)},
    }


def _bought(slate: Slate, history: _History) -> dict[str, Column]:
    never = {
        "bought_before": 0.0,
        "bought_count": 0.0,
        "bought_share": history.no_share,
        "bought_age_s": math.nan,
        "bought_interval_s": math.nan,
        "bought_due": math.nan,
        **{f"bought_decayed_{days}d": 0.0 for days in HALF_LIVES_DAYS},
        "bought_weighted_60d": 0.0,
        "bought_basket_decayed": 0.0,
        "bought_baskets_ago": math.nan,
        "bought_basket_share": 0.0,
        "bought_due_z": math.nan,
        "bought_rate": 0.0,
    }
    positions, at = at_candidates(slate, history.first)
    if not len(positions):
        return {**never}
    count, share, last_us, interval = history.items[:, at]
    age = (slate.scored_us - last_us) / 1e6
    decayed = history.decayed[:, at] * np.exp2(-age / _DECAYS_S)
    by_baskets, first_basket, last_basket, deviation = history.baskets[:, at]
    baskets_ago = history.orders - last_basket
    total = history.decayed_60d_at(slate.scored_us)
    values = (
        count > 0,
        count,
        share,
        age,
        interval,
        age / interval,
        *decayed,
        by_baskets * BASKET_DECAY**baskets_ago,
        baskets_ago,
        count / (history.orders - first_basket + 1),
        (age - interval) / (deviation + _THREE_DAYS_S),
        decayed[_SIXTY] / total,
    )
    return {name: Sparse(positions, each, fill) for (name, fill), each in zip(never.items(), values, strict=True)}
