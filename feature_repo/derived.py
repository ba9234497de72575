"""Derived features: pair facts and request facts, one pure function over arrays.

Called by training and by serving, with the same :class:`Slate`; its source text is part of the model's
contract hash. Ages are computed in float64 from the request's moment and cast to float32 at the end.
A pair fact is NaN when the user or the session is unknown, and 0 when it is known and has no such fact.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import repeat
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from feature_repo.schema import Declaration, Feature
from feature_repo.slate import ItemRows, Row, Slate, Texts

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Sparse(NamedTuple):
    """A column in which few candidates have a value of their own: (k,) ``values`` at (k,) ``positions``.

    The others have ``fill``.
    """

    positions: Sequence[int] | Integers
    values: Sequence[float] | npt.NDArray[Any]
    fill: float


Column = npt.NDArray[Any] | Sparse | float  # (n,), or one number for all candidates
_UNTOUCHED: dict[str, Column] = {
    "touched_count": 0.0,
    "touched_action": 0.0,
    "touched_age_s": math.nan,
    "touched_last": 0.0,
}

ACTION_CODES = {"view": 1.0, "like": 2.0, "remove_from_cart": 3.0, "add_to_cart": 4.0, "order": 5.0}
CONTEXT_BUCKETS = 1009

_PAIR = (
    ("bought_before", "1 if the user ordered the item before", "flag"),
    ("bought_count", "times the user ordered the item", "count"),
    ("bought_share", "share of the user's orders that hold the item", "ratio"),
    ("bought_age_s", "since the user last ordered the item", "s"),
    ("bought_interval_s", "mean time between the user's orders of the item", "s"),
    ("bought_due", "bought_age_s over bought_interval_s", "ratio"),
    ("category_share", "share of the user's ordered items in the item's category", "ratio"),
    ("category_age_s", "since the user last ordered from the item's category", "s"),
    ("touched_count", "item events on the item in this session", "count"),
    ("touched_action", "code of the latest of them", "code"),
    ("touched_age_s", "since the latest of them", "s"),
    ("touched_last", "1 if the session's latest item event is on the item", "flag"),
    ("in_cart", "1 if the item is in the cart", "flag"),
    ("together_sum", "summed share with which the cart's items are ordered with the item", "ratio"),
    ("together_max", "largest such share", "ratio"),
)
_REQUEST = (
    ("item_age_s", "since the item was first seen", "s"),
    ("item_last_order_age_s", "since anyone ordered the item", "s"),
    ("user_age_s", "since the user was first seen", "s"),
    ("user_last_order_age_s", "since the user's latest order", "s"),
    ("session_age_s", "since the session began", "s"),
    ("session_idle_s", "since the session's latest event", "s"),
    ("input_position", "place in the caller's order, from 0", "rank"),
    ("slate_size", "candidates in the slate", "count"),
    ("hour", "local hour of the request, 0 to 23", "hour"),
    ("weekday", "local weekday of the request, Monday is 0", "day"),
    ("price_vs_slate", "price over the slate's mean price", "ratio"),
)


def derived_features(declaration: Declaration) -> tuple[Feature, ...]:
    """The features that :func:`derived_columns` computes, in its order."""
    context = tuple((f"context_{c.name}", f"bucket of the caller's {c.name}", "code") for c in declaration.context)
    return tuple(Feature(name, "derived", what, unit) for name, what, unit in (*_PAIR, *_REQUEST, *context))


def derived_columns(slate: Slate, declaration: Declaration) -> dict[str, Column]:
    """All derived features of one slate, before they are rounded to float32."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            **_history_facts(slate),
            **_session_facts(slate),
            **_together_facts(slate),
            **_ages(slate),
            **_request_facts(slate, declaration),
        }


@dataclass(frozen=True)
class _History:
    """What a user ordered, as far as neither moment nor candidates matter: (items,), and (categories + 2,), where two
    numbers stand for another category and for none."""

    first: dict[str, int]  # of an item: its place
    items: Doubles  # (4, items): times ordered, share of the orders, latest order in µs, mean interval in s
    no_share: float
    categories: dict[str | None, int]
    by_category: Doubles  # (2, categories + 2): share of the ordered items, latest order in µs
    numbers: dict[tuple[int, int], tuple[Integers, Integers]] = field(default_factory=dict)

    def positions(self, items: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.int64]:
        """(n,) of the candidates' categories: the last place where there is none, the last but one for those of
        which the user has nothing."""
        never = self.by_category.shape[1] - 2
        if isinstance(items, ItemRows):
            wanted, texts = items.numbered("category_id")
            position_of = np.full(len(texts), never)
            numbers, positions = self._numbered(texts)
            position_of[numbers] = positions
            return position_of.take(wanted)
        categories = items["category_id"].tolist()
        return np.fromiter(map(self.categories.get, categories, repeat(never)), np.int64, len(categories))

    def _numbered(self, texts: Texts) -> tuple[Integers, Integers]:
        """Numbers and places of those categories that have a number, kept until there are more texts."""
        key = (texts.serial, len(texts))
        if key not in self.numbers:
            numbers = np.array(texts.known(self.categories))
            positions = np.array(list(self.categories.values()))
            self.numbers.clear()
            self.numbers[key] = (numbers[numbers >= 0], positions[numbers >= 0])
        return self.numbers[key]


def _history(user: Row) -> _History:
    counts, first, last = (np.array(user[f"history_{name}"], np.float64) for name in ("counts", "first_us", "last_us"))
    ordered = user["history_categories"]
    codes: dict[str | None, int] = {category: position for position, category in enumerate(dict.fromkeys(ordered))}
    coded = np.fromiter(map(codes.__getitem__, ordered), int, len(ordered))
    categories = len(codes)
    latest = np.zeros(categories)
    np.maximum.at(latest, coded, last)
    codes |= {None: -1, "": -1}  # a candidate without a category has none of these facts
    with np.errstate(divide="ignore", invalid="ignore"):
        orders = np.float64(_number(user.get("user_orders_all")))
        between = (last - first) / np.maximum(counts - 1, 1) / 1e6
        of_category = np.append(np.bincount(coded, counts, categories), (0.0, math.nan))
        return _History(
            first=_first_positions(user["history_items"]),
            # The interval is NaN for what was ordered once, or more than once in one moment.
            items=np.array((counts, counts / orders, last, np.where(between > 0, between, np.nan))),
            no_share=float(0.0 / orders),
            categories=codes,
            by_category=np.array(
                (of_category / (float(counts.sum()) or math.nan), np.append(latest, (math.nan, math.nan)))
            ),
        )


def _history_facts(slate: Slate) -> dict[str, Column]:
    if slate.user.get("history_items") is None:
        return {name: math.nan for name, _, _ in _PAIR[:8]}
    history = slate.user.once(_history)
    share, last_us = history.by_category.take(history.positions(slate.items), axis=1)
    return {
        **_bought(slate, history),
        "category_share": share,
        "category_age_s": (slate.scored_us - last_us) / 1e6,
    }


def _bought(slate: Slate, history: _History) -> dict[str, Column]:
    never = {
        "bought_before": 0.0,
        "bought_count": 0.0,
        "bought_share": history.no_share,
        "bought_age_s": math.nan,
        "bought_interval_s": math.nan,
        "bought_due": math.nan,
    }
    positions, at = _candidates(slate, history.first)
    if not len(positions):
        return {**never}
    count, share, last_us, interval = history.items[:, at]
    age = (slate.scored_us - last_us) / 1e6
    found = (count > 0, count, share, age, interval, age / interval)
    return {name: Sparse(positions, values, fill) for (name, fill), values in zip(never.items(), found, strict=True)}


@dataclass(frozen=True)
class _Touches:
    """What a session did to items, (m,), latest first."""

    first: dict[str, int]  # of an item: its latest touch
    codes: Doubles
    timestamps: Doubles


def _touches(session: Row) -> _Touches:
    codes = [ACTION_CODES.get(action, 0.0) for action in session["recent_actions"]]
    return _Touches(
        _first_positions(session["recent_items"]), np.array(codes), np.array(session["recent_us"], np.float64)
    )


def _session_facts(slate: Slate) -> dict[str, Column]:
    if slate.session.get("recent_items") is None:
        return dict.fromkeys((*_UNTOUCHED, "in_cart"), math.nan)
    cart = slate.positions_of(slate.session.get("cart_items") or ())
    return {**_touched(slate), "in_cart": Sparse(cart, [1.0] * len(cart), 0.0) if cart else 0.0}


def _touched(slate: Slate) -> dict[str, Column]:
    touches = slate.session.once(_touches)
    positions, at = _candidates(slate, touches.first)
    if not len(positions):
        return _UNTOUCHED
    recent = slate.session["recent_items"]
    return {
        "touched_count": Sparse(positions, [recent.count(recent[k]) for k in at.tolist()], 0.0),
        "touched_action": Sparse(positions, touches.codes[at], 0.0),
        "touched_age_s": Sparse(positions, (slate.scored_us - touches.timestamps[at]) / 1e6, math.nan),
        "touched_last": Sparse(positions, at == 0, 0.0),
    }


def _together_facts(slate: Slate) -> dict[str, Column]:
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


def _ages(slate: Slate) -> dict[str, Column]:
    now_us = slate.scored_us
    return {
        "item_age_s": (now_us - slate.items["first_seen_us"]) / 1e6,
        "item_last_order_age_s": (now_us - slate.items["last_order_us"]) / 1e6,
        "user_age_s": (now_us - _number(slate.user.get("user_first_seen_us"))) / 1e6,
        "user_last_order_age_s": (now_us - _number(slate.user.get("user_last_order_us"))) / 1e6,
        "session_age_s": (now_us - _number(slate.session.get("session_first_us"))) / 1e6,
        "session_idle_s": (now_us - _number(slate.session.get("session_last_us"))) / 1e6,
    }


def _request_facts(slate: Slate, declaration: Declaration) -> dict[str, Column]:
    n = len(slate)
    local = _local(slate.scored_us // 1_000_000, declaration.timezone)
    price = slate.items["price"].astype(np.float64)
    total, known = np.add.reduce(price), price
    if total != total:
        known = price[price == price]
        total = np.add.reduce(known)
    mean = total / known.size if known.size else math.nan
    return {
        "input_position": np.arange(n),
        "slate_size": float(n),
        "hour": float(local.hour),
        "weekday": float(local.weekday()),
        "price_vs_slate": price / mean if mean > 0 else math.nan,
        **{f"context_{column.name}": _bucket(slate.context.get(column.name)) for column in declaration.context},
    }


@lru_cache(maxsize=16)  # requests of one second
def _local(epoch_s: int, timezone: str) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC).astimezone(ZoneInfo(timezone))


def _candidates(slate: Slate, values: Mapping[str, int]) -> tuple[Integers, Integers]:
    """Those of ``values`` that are candidates: their places in the slate, and what ``values`` says of each."""
    found = slate.positions.keys() & values.keys()
    return np.array([slate.positions[each] for each in found], int), np.array([values[each] for each in found], int)


def _first_positions(values: Sequence[str]) -> dict[str, int]:
    last_first = range(len(values) - 1, -1, -1)
    return dict(zip(reversed(values), last_first, strict=True))


def _number(value: Any) -> Any:
    return math.nan if value is None else value


def _bucket(value: str | None) -> float:
    return math.nan if value is None else float(zlib.crc32(value.encode()) % CONTEXT_BUCKETS)
