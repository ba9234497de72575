"""What the generators draw alike: times of the day, tastes, drifting popularity, choices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

DAY_US, HOUR_US, SECOND_US = 86_400_000_000, 3_600_000_000, 1_000_000
# Shares of the hours of a day: few at night, most in the evening.
ALL_DAY = np.array([2, 1, 1, 1, 1, 2, 3, 5, 6, 7, 8, 8, 8, 7, 7, 7, 8, 9, 10, 11, 11, 9, 6, 4], dtype=np.float64)
WEEK = np.array([1.0, 0.95, 0.95, 1.0, 1.1, 1.3, 1.25])  # by weekday from Monday


def stream(seed: int, what: str) -> np.random.Generator:
    """A random stream of its own for each kind of draw."""
    return np.random.default_rng([seed, *what.encode()])


def instants(
    rng: np.random.Generator,
    count: int,
    start_us: int,
    days: int,
    hours: Doubles = ALL_DAY,
    week: Doubles = WEEK,
) -> Integers:
    """(count,) sorted times in whole seconds, as µs. ``start_us`` is a midnight."""
    weekday = (start_us // DAY_US + 3 + np.arange(days)) % 7  # 1970-01-01 was a Thursday
    day = rng.choice(days, size=count, p=week[weekday] / week[weekday].sum())
    hour = rng.choice(24, size=count, p=hours / hours.sum())
    return np.sort(start_us + day * DAY_US + hour * HOUR_US + rng.integers(3600, size=count) * SECOND_US)


def heavy_tail(rng: np.random.Generator, count: int, spread: float) -> Doubles:
    """(count,) shares, log-normal: a few have most."""
    share = np.exp(spread * rng.normal(size=count))
    return np.asarray(share / share.sum())


def tastes(rng: np.random.Generator, count: int, kinds: int, strength: float, narrow: float = 0.35) -> Doubles:
    """(count, kinds): each has a few kinds that it likes; ``narrow`` is the Dirichlet parameter."""
    drawn = rng.gamma(narrow, size=(count, kinds)) + 1e-3
    return np.asarray(strength * np.sqrt(drawn / drawn.sum(axis=1, keepdims=True)))


def memberships(rng: np.random.Generator, kind: Integers, kinds: int, second: float) -> Doubles:
    """(items, kinds): 1 for the item's kind, and 0.5 for another one with probability ``second``."""
    found = np.zeros((len(kind), kinds))
    other = rng.integers(kinds, size=len(kind))
    found[np.arange(len(kind)), other] = np.where(rng.random(len(kind)) < second, 0.5, 0.0)
    found[np.arange(len(kind)), kind] = 1.0
    return found


def wandering(rng: np.random.Generator, days: int, items: int, spread: float, memory: float = 0.96) -> Doubles:
    """(days, items): a stationary autoregression with the standard deviation ``spread``."""
    steps = rng.normal(size=(days, items)) * spread
    found = np.empty((days, items))
    found[0] = steps[0]
    for day in range(1, days):
        found[day] = memory * found[day - 1] + np.sqrt(1 - memory**2) * steps[day]
    return found


def picked(rng: np.random.Generator, logits: Doubles, count: int) -> Integers:
    """(count,) distinct indices in the order of a draw without replacement with chances exp(logits)."""
    noisy = logits + rng.gumbel(size=len(logits))
    few = np.argpartition(-noisy, min(count, len(noisy)) - 1)[:count]
    return np.asarray(few[np.argsort(-noisy[few], kind="stable")], dtype=np.int64)


def hexes(rng: np.random.Generator, count: int, digits: int) -> list[str]:
    """Random texts of hexadecimal digits."""
    drawn = rng.integers(16, size=(count, digits))
    return ["".join("0123456789abcdef"[digit] for digit in row) for row in drawn.tolist()]
