"""The request itself: its list, its local time, and each price beside the others."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from feature_repo.derived.family import Column, derived
from feature_repo.schema import Declaration
from feature_repo.slate import Slate

FEATURES = (
    ("input_position", "position in the caller's order, from 0", "rank"),
    ("slate_size", "candidates in the slate", "count"),
    ("hour", "local hour of the request, 0 to 23", "hour"),
    ("weekday", "local weekday of the request, Monday is 0", "day"),
    ("price_vs_slate", "price over the slate's mean price", "ratio"),
)


@derived(version=1, reads=("item_attributes:price",), gives=FEATURES)
def request(slate: Slate, declaration: Declaration) -> dict[str, Column]:
    n = len(slate)
    local = _local(slate.scored_us // 1_000_000, declaration.timezone)
    price = slate.items["price"].astype(np.float64)
    total, known = np.add.reduce(price), price
    if total != total:  # NaN: some prices are unknown
        known = price[price == price]
        total = np.add.reduce(known)
    mean = total / known.size if known.size else math.nan
    return {
        "input_position": np.arange(n),
        "slate_size": float(n),
        "hour": float(local.hour),
        "weekday": float(local.weekday()),
        "price_vs_slate": price / mean if mean > 0 else math.nan,
    }


@lru_cache(maxsize=16)  # the requests of one second share it
def _local(epoch_s: int, timezone: str) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC).astimezone(ZoneInfo(timezone))
