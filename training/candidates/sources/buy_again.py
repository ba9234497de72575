"""Fits :mod:`feature_repo.candidates.sources.buy_again`: how often, and after how many days, an item is ordered again.

Items with few buyers lean on their category, and categories with few on all items: an estimate is the mean of its own
buyers and of ``shrinkage`` more that are as the level above. Only users and what they had ordered by then count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from feature_repo.candidates.sources.buy_again import BuyAgain
from infra.models.arrays import Doubles, Integers
from training.candidates.known_log import KnownLog

Levels = Callable[[Doubles, Doubles], Doubles]
"""(sums, numbers) per item -> mean per item, shrunk; the last one is for an item that is not known."""


def fit(log: KnownLog, params: Mapping[str, Any]) -> BuyAgain | None:
    """None without an item that somebody ordered twice."""
    found = _pairs(log)
    items, n = found["code"], len(log.codes)
    twice = (found["orders"] > 1) & (found["span"] > 0)
    if not twice.any():
        return None
    levels = _levels(_categories(log), float(params["shrinkage"]))

    def sums(values: Doubles) -> Doubles:
        return np.bincount(items, values, minlength=n).astype(np.float64)

    buyers, repeaters = sums(np.ones(len(items))), sums(twice.astype(np.float64))
    rates = np.where(twice, (found["orders"] - 1) / np.maximum(found["span"], 1 / 24), 0.0)
    rates = np.minimum(rates, 1.0)  # per day: two orders within an hour are one need
    mean = levels(sums(rates), repeaters)
    variance = np.maximum(levels(sums(rates**2), repeaters) - mean**2, 1e-3 * mean**2)
    intervals = levels(sums(np.where(twice, np.log(1 / np.maximum(rates, 1e-4)), 0.0)), repeaters)
    return BuyAgain(
        repeats=levels(repeaters, buyers).astype(np.float32),
        shape=(mean**2 / variance).astype(np.float32),
        rate=(mean / variance).astype(np.float32),
        interval_days=np.exp(intervals).astype(np.float32),
    )


def _levels(categories: Integers, shrinkage: float) -> Levels:
    """``categories``: (n,) the number of each item's category; items without one share a number."""

    def means(sums: Doubles, numbers: Doubles) -> Doubles:
        overall = sums.sum() / max(numbers.sum(), 1.0)
        of_category = (np.bincount(categories, sums) + shrinkage * overall) / (
            np.bincount(categories, numbers) + shrinkage
        )
        of_item = (sums + shrinkage * of_category[categories]) / (numbers + shrinkage)
        return np.append(of_item, overall)

    return means


def _pairs(log: KnownLog) -> dict[str, Any]:
    """(m,) each: code, orders and span (days from the first order to the latest) of each user and item, in order."""
    return dict(
        log.connection.execute(
            """
            SELECT code, count(*) AS orders, (max(at_us) - min(at_us)) / 86400e6 AS span
            FROM known_events WHERE action = 'order' GROUP BY user_id, code ORDER BY code, orders, span
            """
        ).fetchnumpy()
    )


def _categories(log: KnownLog) -> Integers:
    found = log.connection.execute(
        "SELECT dense_rank() OVER (ORDER BY category_id NULLS FIRST) - 1 AS number FROM known_items ORDER BY code"
    ).fetchnumpy()
    return np.asarray(found["number"], np.int64)
