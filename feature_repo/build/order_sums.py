"""Sums over the orders of an item by a user so far, after each order.

Each sum follows from the one before it, so the k-th orders of all (user, item) pairs are computed at once. A sum
depends on its pair's earlier orders alone and has one order of additions: later data does not change a bit of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from feature_repo.definitions.extents import BASKET_DECAY, HALF_LIVES_DAYS
from infra.models.arrays import Doubles, Integers

DAY_US = 86_400e6
WEIGHTED_DAYS = 60


def order_sums(
    first: npt.NDArray[np.bool_], ordered_us: Integers, basket: Integers, basket_size: Integers
) -> dict[str, npt.NDArray[np.generic]]:
    """Name of a list of user_history, without its prefix -> (n,) its value after each order.

    The (n,) orders are contiguous by (user, item) and in order of time: ``first`` is True at the first of each pair,
    ``ordered_us`` its timestamp, ``basket`` the number of its basket among those of the user, and ``basket_size`` the
    orders in it.
    """
    starts = np.flatnonzero(first)
    number = np.arange(len(first)) - np.repeat(starts, np.diff(np.append(starts, len(first))))  # from 0 in its pair
    gap_us = np.where(first, 0.0, np.diff(ordered_us, prepend=0).astype(np.float64))
    last_basket, first_basket = basket.copy(), basket.copy()
    for now, before in _later_orders(number):
        last_basket[now] = np.maximum(last_basket[before], basket[now])
        first_basket[now] = np.minimum(first_basket[before], basket[now])
    weight = basket_size.astype(np.float64) ** -0.25
    later_baskets = np.where(first, 0, last_basket - np.roll(last_basket, 1))
    sums = {
        **{f"decayed_{days}d": (np.ones(len(first)), 2.0 ** (-gap_us / (days * DAY_US))) for days in HALF_LIVES_DAYS},
        f"weighted_{WEIGHTED_DAYS}d": (weight, 2.0 ** (-gap_us / (WEIGHTED_DAYS * DAY_US))),
        "basket_decayed": (weight * _basket_decay(last_basket - basket), _basket_decay(later_baskets)),
    }
    found: dict[str, npt.NDArray[np.generic]] = {
        name: _recursive_sum(number, added, kept).astype(np.float32) for name, (added, kept) in sums.items()
    }
    squared = _recursive_sum(number, (gap_us / 1e6) ** 2, np.ones(len(first)))
    mean = _recursive_sum(number, gap_us / 1e6, np.ones(len(first))) / np.maximum(number, 1)
    deviation = np.sqrt(np.maximum(squared / np.maximum(number, 1) - mean**2, 0.0))
    return {
        **found,
        "first_basket": first_basket,
        "last_basket": last_basket,
        "gap_sd_s": np.where(number > 1, deviation, 0.0).astype(np.float32),
    }


def _basket_decay(baskets: Integers) -> Doubles:
    return np.asarray(BASKET_DECAY**baskets, np.float64)


def _recursive_sum(number: Integers, added: Doubles, kept: Doubles) -> Doubles:
    """(n,) s_k = kept_k * s_(k-1) + added_k within each pair, with s_0 = added_0."""
    found = added.copy()
    for now, before in _later_orders(number):
        found[now] += kept[now] * found[before]
    return found


def _later_orders(number: Integers) -> Iterator[tuple[Integers, Integers]]:
    """The rows of all second orders and of those before them, then of all third orders, and so on."""
    by_number = np.argsort(number, kind="stable")
    ends = np.cumsum(np.bincount(number)) if len(number) else np.empty(0, np.int64)
    for begin, end in pairwise(ends):
        rows = by_number[begin:end]
        yield rows, rows - 1
