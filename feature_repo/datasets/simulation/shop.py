"""The simulated shop: its items, users and prices, drawn from a seed.

Each kind of draw has its own random stream. So the items and users of a small shop are the first ones of a larger shop
with the same seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

START = datetime(2024, 1, 1, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
DAYS = 63
WEEKS = DAYS // 7
CATEGORIES = 10
FAVOURITES = 6


@dataclass(frozen=True)
class ShopSize:
    """The first ``sessions`` - ``slates`` sessions have no logged slate: they are history."""

    slates: int
    sessions: int
    items: int
    users: int


def shop_size(slates: int) -> ShopSize:
    """About 30 slates per user and 25 per item, within bounds."""
    return ShopSize(
        slates=slates,
        sessions=slates + max(slates * 2 // 5, 40),
        items=int(np.clip(slates // 25, 80, 4_000)),
        users=max(slates // 30, 12),
    )


@dataclass(frozen=True)
class Weights:
    """The weights of a candidate's utility, in logits.

    utility = quality * q + affinity * sqrt(share of the user's taste in the category) + habit * [favourite]
              - price * log(price / mean price of the category) + promoted * [is_recommended] + noise * N(0, 1)
              + viewed or liked, if the user viewed or liked the item in this session
    """

    quality: float = 0.7
    affinity: float = 2.2
    habit: float = 1.2
    price: float = 0.8
    viewed: float = 0.7
    liked: float = 1.4
    promoted: float = 0.5
    noise: float = 0.3


@dataclass(frozen=True)
class Shop:
    """Items (i), users (u), categories (c) and weeks (w).

    quality:    (i,) latent
    sight:      (i,) quality with noise, the only part that the shop knows
    category:   (i,) from 0
    launch_us:  (i,) µs since the epoch; no user sees an item earlier; its attributes are known one hour earlier
    cents:      (i, w) price of one unit in each week
    taste:      (u, c) shares of the user's taste; rows sum to 1
    favourites: (u, FAVOURITES) items that the user buys again and again
    """

    seed: int
    size: ShopSize
    quality: Doubles
    sight: Doubles
    category: Integers
    launch_us: Integers
    cents: Integers
    taste: Doubles
    favourites: Integers

    def relative_price(self) -> Doubles:
        """(i, w) log of the price over the mean price of the item's category in that week."""
        total = np.zeros((CATEGORIES, WEEKS))
        np.add.at(total, self.category, self.cents)
        mean = total / np.maximum(np.bincount(self.category, minlength=CATEGORIES), 1)[:, None]
        return np.asarray(np.log(self.cents / mean[self.category]))


def price_change_us(week: npt.NDArray[np.int64]) -> Integers:
    """The time from which a week's prices hold: one hour before its first midnight, so that features include them."""
    return np.asarray(START_US + week * 7 * DAY_US - HOUR_US)


def week_of(timestamp_us: Integers) -> Integers:
    return np.clip((timestamp_us - START_US + HOUR_US) // (7 * DAY_US), 0, WEEKS - 1)


def open_shop(seed: int, size: ShopSize) -> Shop:
    quality = _stream(seed, "quality").normal(size=size.items)
    category = _stream(seed, "category").integers(CATEGORIES, size=size.items)
    gamma = _stream(seed, "taste").gamma(0.35, size=(size.users, CATEGORIES)) + 1e-3
    taste = gamma / gamma.sum(axis=1, keepdims=True)
    return Shop(
        seed=seed,
        size=size,
        quality=quality,
        sight=quality + _stream(seed, "sight").normal(scale=0.5, size=size.items),
        category=category,
        launch_us=_launches(seed, size.items),
        cents=_prices(seed, size.items),
        taste=taste,
        favourites=_favourites(seed, taste, category),
    )


def _stream(seed: int, what: str) -> np.random.Generator:
    return np.random.default_rng([seed, *what.encode()])


def _launches(seed: int, items: int) -> Integers:
    """Six of seven items exist from the start. The others start at a midnight of the first seven weeks."""
    draws = _stream(seed, "launch").random((items, 2))
    day = np.where(draws[:, 0] < 6 / 7, 0, 1 + (draws[:, 1] * 48).astype(np.int64))
    return np.asarray(START_US + day * DAY_US, dtype=np.int64)


def _prices(seed: int, items: int) -> Integers:
    """(items, WEEKS) cents: a regular price, reduced by 10 to 40 % in one week of five."""
    draws = _stream(seed, "price").normal(size=items)
    regular = np.round(np.exp(2.3 + 0.6 * draws), 1)
    reduced = _stream(seed, "reduction").random((items, WEEKS, 2))
    factor = np.where(reduced[..., 0] < 0.2, 0.9 - 0.3 * reduced[..., 1], 1.0)
    return np.maximum(np.round(regular[:, None] * factor * 100).astype(np.int64), 10)


def _favourites(seed: int, taste: Doubles, category: Integers) -> Integers:
    """(u, FAVOURITES): an item of a category drawn by taste; any item if that category is empty."""
    draws = _stream(seed, "favourites").random((len(taste), FAVOURITES, 2))
    wanted = (np.cumsum(taste, axis=1)[:, None, :] < draws[..., :1]).sum(axis=2).clip(max=CATEGORIES - 1)
    order = np.argsort(category, kind="stable")
    counts = np.bincount(category, minlength=CATEGORIES)
    first = np.cumsum(counts) - counts
    inside = first[wanted] + (draws[..., 1] * counts[wanted]).astype(np.int64)
    anywhere = (draws[..., 1] * len(category)).astype(np.int64)
    return np.asarray(order[np.where(counts[wanted] > 0, inside, anywhere)], dtype=np.int64)
