"""Derived features: pair facts and request facts, one pure function over arrays.

Called by training and by serving, with the same :class:`Slate`; its source text is part of the model's
contract hash. Ages are computed in float64 from the request's moment and cast to float32 at the end.
A pair fact is NaN when the user or the session is unknown, and 0 when it is known and has no such fact.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from feature_repo.schema import Declaration, Feature
from feature_repo.slate import Floats, Slate

Doubles = npt.NDArray[np.float64]

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
    """The features that :func:`derive` computes, in its order."""
    context = tuple((f"context_{c.name}", f"bucket of the caller's {c.name}", "code") for c in declaration.context)
    return tuple(Feature(name, "derived", what, unit) for name, what, unit in (*_PAIR, *_REQUEST, *context))


def derive(slate: Slate, declaration: Declaration) -> dict[str, Floats]:
    """All derived features of one slate, each (n,) float32."""
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = {
            **_history_facts(slate),
            **_session_facts(slate),
            **_together_facts(slate),
            **_ages(slate),
            **_request_facts(slate, declaration),
        }
    return {name: np.asarray(values, dtype=np.float32) for name, values in columns.items()}


def _history_facts(slate: Slate) -> dict[str, Doubles]:
    n = len(slate)
    history = slate.user.get("history_items")
    if history is None:
        return {name: np.full(n, np.nan) for name, _, _ in _PAIR[:8]}
    counts = np.append(np.asarray(slate.user["history_counts"], dtype=np.float64), 0.0)
    first = np.append(np.asarray(slate.user["history_first_us"], dtype=np.float64), np.nan)
    last = np.append(np.asarray(slate.user["history_last_us"], dtype=np.float64), np.nan)
    at = _positions(history, slate.item_ids)  # (n,), pointing at the appended "never" where absent
    age = (slate.scored_us - last[at]) / 1e6
    between = (last[at] - first[at]) / np.maximum(counts[at] - 1, 1) / 1e6
    interval = np.where(between > 0, between, np.nan)  # ordered once, or more than once in one moment
    orders = slate.user.get("user_orders_all")
    return {
        "bought_before": (counts[at] > 0).astype(np.float64),
        "bought_count": counts[at],
        "bought_share": counts[at] / _number(orders),
        "bought_age_s": age,
        "bought_interval_s": interval,
        "bought_due": age / interval,
        **_category_facts(slate, counts[:-1], last[:-1]),
    }


def _category_facts(slate: Slate, counts: Doubles, last: Doubles) -> dict[str, Doubles]:
    codes: dict[str, int] = {}
    coded = np.array([codes.setdefault(category, len(codes)) for category in slate.user["history_categories"]], int)
    totals = np.append(np.bincount(coded, counts, len(codes)), 0.0)
    latest = np.zeros(len(codes))
    np.maximum.at(latest, coded, last)
    never = len(codes)
    # (n,), pointing at the appended "never" where the user has nothing of the category
    at = np.array([codes.get(category, never) for category in slate.items["category_id"].tolist()], int)
    known = slate.items["category_id"].astype(bool)
    total = float(counts.sum()) or np.nan
    return {
        "category_share": np.where(known, totals[at] / total, np.nan),
        "category_age_s": np.where(known, (slate.scored_us - np.append(latest, np.nan)[at]) / 1e6, np.nan),
    }


def _session_facts(slate: Slate) -> dict[str, Doubles]:
    n = len(slate)
    names = ("touched_count", "touched_action", "touched_age_s", "touched_last", "in_cart")
    recent = slate.session.get("recent_items")
    if recent is None:
        return {name: np.full(n, np.nan) for name in names}
    codes = [ACTION_CODES.get(action, 0.0) for action in slate.session["recent_actions"]]
    codes_or_none = np.append(np.array(codes, dtype=np.float64), 0.0)
    instant = np.append(np.asarray(slate.session["recent_us"], dtype=np.float64), np.nan)
    at = _positions(recent, slate.item_ids)  # latest first, so the first place is the latest touch
    first = dict(zip(reversed(recent), range(len(recent) - 1, -1, -1), strict=True))
    touches = np.bincount([first[item] for item in recent], minlength=len(recent) + 1)
    return {
        "touched_count": touches[at].astype(np.float64),
        "touched_action": codes_or_none[at],
        "touched_age_s": (slate.scored_us - instant[at]) / 1e6,
        "touched_last": ((at == 0) & bool(recent)).astype(np.float64),
        "in_cart": _held(slate.item_ids, slate.session.get("cart_items") or ()),
    }


def _together_facts(slate: Slate) -> dict[str, Doubles]:
    n = len(slate)
    if not slate.companions:
        return {"together_sum": np.full(n, np.nan), "together_max": np.full(n, np.nan)}
    places = {item: i for i, item in enumerate(slate.item_ids)}
    total, largest = np.zeros(n), np.zeros(n)
    for cart_item in sorted(slate.companions):  # a fixed order, so that sums are equal bit for bit
        for companion, share in zip(*slate.companions[cart_item], strict=True):
            place = places.get(companion)
            if place is not None:
                total[place] += share
                largest[place] = max(largest[place], share)
    return {"together_sum": total, "together_max": largest}


def _ages(slate: Slate) -> dict[str, Doubles]:
    n = len(slate)

    def since(instant: Any) -> Doubles:
        return np.broadcast_to((slate.scored_us - np.asarray(_number(instant), dtype=np.float64)) / 1e6, (n,))

    return {
        "item_age_s": since(slate.items["first_seen_us"]),
        "item_last_order_age_s": since(slate.items["last_order_us"]),
        "user_age_s": since(slate.user.get("user_first_seen_us")),
        "user_last_order_age_s": since(slate.user.get("user_last_order_us")),
        "session_age_s": since(slate.session.get("session_first_us")),
        "session_idle_s": since(slate.session.get("session_last_us")),
    }


def _request_facts(slate: Slate, declaration: Declaration) -> dict[str, Doubles]:
    n = len(slate)
    local = datetime.fromtimestamp(slate.scored_us // 1_000_000, UTC).astimezone(ZoneInfo(declaration.timezone))
    price = slate.items["price"].astype(np.float64)
    known = price[~np.isnan(price)]
    mean = known.mean() if known.size else np.nan
    return {
        "input_position": np.arange(n, dtype=np.float64),
        "slate_size": np.full(n, float(n)),
        "hour": np.full(n, float(local.hour)),
        "weekday": np.full(n, float(local.weekday())),
        "price_vs_slate": np.where(mean > 0, price / mean, np.nan),
        **{
            f"context_{column.name}": np.full(n, _bucket(slate.context.get(column.name)))
            for column in declaration.context
        },
    }


def _positions(haystack: Sequence[str], needles: Sequence[str]) -> npt.NDArray[np.int64]:
    """First place of each needle, ``len(haystack)`` where it is absent."""
    absent = len(haystack)
    # Written backwards, the first place is the one that stays.
    places = dict(zip(reversed(haystack), range(absent - 1, -1, -1), strict=True))
    return np.array([places.get(needle, absent) for needle in needles], dtype=np.int64)


def _held(needles: Sequence[str], held: Sequence[str]) -> Doubles:
    """(n,) 1 where ``held`` has the needle, else 0."""
    among = set(held)
    return np.array([needle in among for needle in needles], dtype=np.float64)


def _number(value: Any) -> Any:
    return np.nan if value is None else value


def _bucket(value: str | None) -> float:
    return float("nan") if value is None else float(zlib.crc32(value.encode()) % CONTEXT_BUCKETS)
