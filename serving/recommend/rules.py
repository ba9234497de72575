"""The shop's rules: what may not be recommended, whatever its score.

A rule gets the slate and an order of its candidates, and returns the positions that remain in their order. It reads the
rows that the ranker read, so it knows what online knows: a candidate whose row is missing breaks no rule on columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from feature_repo.slate import Row, Slate
from infra.models.arrays import Integers

DAY_US = 86_400_000_000

Apply = Callable[[Slate, Integers], Integers]
"""(n candidates, (m,) positions, the best first) -> those that remain, in the new order."""


@dataclass(frozen=True)
class Rule:
    """``name``: as in params.yaml. ``moves``: it moves candidates down and removes none. ``number``: the item column
    that it reads as a number."""

    name: str
    apply: Apply
    moves: bool = False
    number: str | None = None


def already_bought(days: float) -> Rule:
    """Items that the user ordered in the last ``days``. The history holds a user's latest items."""

    def apply(slate: Slate, order: Integers) -> Integers:
        since_us = slate.scored_us - days * DAY_US
        bought = zip(*_lists(slate.user, "history_items", "history_last_us"), strict=False)
        return _without(slate, order, {item for item, last_us in bought if last_us >= since_us})

    return Rule("already_bought", apply)


def seen_in_session(actions: Set[str]) -> Rule:
    """Items with one of ``actions`` among the session's latest events."""

    def apply(slate: Slate, order: Integers) -> Integers:
        events = zip(*_lists(slate.session, "recent_items", "recent_actions"), strict=False)
        return _without(slate, order, {item for item, action in events if action in actions})

    return Rule("seen_in_session", apply)


def out_of_stock(column: str) -> Rule:
    """Items whose ``column`` is 0. Unknown counts as in stock, and so does a data set without the column or with a
    text in it."""

    def apply(slate: Slate, order: Integers) -> Integers:
        stock = slate.items.get(column)
        if stock is None or stock.dtype == object:
            return order
        return order[~(stock[order].astype(np.float64) <= 0)]

    return Rule("out_of_stock", apply, number=column)


def blocked_categories(categories: Set[str]) -> Rule:
    """Items of one of ``categories``."""

    def apply(slate: Slate, order: Integers) -> Integers:
        if not categories:
            return order
        return order[[category not in categories for category in _texts(slate, "category_id", order)]]

    return Rule("blocked_categories", apply)


def max_per_category(items: int, of_first: int) -> Rule:
    """At most ``items`` of one category among the ``of_first`` best.

    From the best on, a candidate whose category is full is passed over. When ``of_first`` are chosen, those passed over
    follow in their order, then the rest. So where there are too few others, they come back. Without a category there is
    no limit.
    """

    def apply(slate: Slate, order: Integers) -> Integers:
        taken: Counter[str] = Counter()
        first: list[int] = []
        passed_over: list[int] = []
        positions = order.tolist()
        categories = _texts(slate, "category_id", order)
        for i, category in enumerate(categories):
            if len(first) == of_first:
                return np.array([*first, *passed_over, *positions[i:]], np.int64)
            if category is not None and taken[category] == items:
                passed_over.append(positions[i])
                continue
            if category is not None:
                taken[category] += 1
            first.append(positions[i])
        return np.array([*first, *passed_over], np.int64)

    return Rule("max_per_category", apply, moves=True)


def excluded(item_ids: Set[str]) -> Rule:
    """Items that the request names."""
    return Rule("excluded", lambda slate, order: _without(slate, order, item_ids))


@dataclass(frozen=True)
class Filters:
    """What the request wants. None: anything. An item whose value is unknown does not pass a filter on it."""

    category_id: frozenset[str] | None = None
    shop_id: frozenset[str] | None = None
    brand: frozenset[str] | None = None
    min_price: float | None = None
    max_price: float | None = None

    def rule(self) -> Rule:
        return Rule("filtered", self._apply)

    def _apply(self, slate: Slate, order: Integers) -> Integers:
        for column in ("category_id", "shop_id", "brand"):
            wanted: frozenset[str] | None = getattr(self, column)
            if wanted is not None:
                order = order[[value in wanted for value in _texts(slate, column, order)]]
        if self.min_price is not None:
            order = order[_prices(slate, order) >= np.float32(self.min_price)]
        if self.max_price is not None:
            order = order[_prices(slate, order) <= np.float32(self.max_price)]
        return order


def apply_all(rules: Sequence[Rule], slate: Slate, order: Integers, k: int) -> tuple[Integers, dict[str, int]]:
    """The remaining order, and for each rule how many candidates it removed, or moved out of the ``k`` first."""
    counts: dict[str, int] = {}
    for rule in rules:
        found = rule.apply(slate, order)
        moved = set(order[:k].tolist()) - set(found[:k].tolist())
        count = len(moved) if rule.moves else len(order) - len(found)
        counts[rule.name] = counts.get(rule.name, 0) + count  # a rule may be listed twice, with other values
        order = found
    return order, counts


def _lists(row: Row, *names: str) -> list[Sequence[Any]]:
    """Lists of a row; one that nothing is known of is empty."""
    return [row.get(name) or () for name in names]


def _without(slate: Slate, order: Integers, ids: Set[str]) -> Integers:
    gone = slate.positions_of(ids)
    return order[~np.isin(order, gone)] if gone else order


def _texts(slate: Slate, column: str, order: Integers) -> list[str | None]:
    if column not in slate.items:
        return [None] * len(order)
    found: list[str | None] = slate.items[column][order].tolist()
    return found


def _prices(slate: Slate, order: Integers) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = slate.items["price"][order]
    return found
