"""Sessions in the simulated shop: browsing, the slate, and the events that follow the slate.

A user browses up to four items and then gets a slate. Each candidate has a utility. Its outcome (0 nothing, 1 click,
2 cart, 3 order) is what the user does after looking at it. The user looks at position p with probability
(1 + p) ** -ETA and clicks only candidates that the user looked at. So outcomes are unbiased labels and clicks are
biased feedback (the examination model: Craswell et al. 2008, Joachims et al. 2017).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feature_repo.datasets.simulation.shop import DAY_US, DAYS, START_US, Doubles, Integers, Shop, Weights, week_of

Flags = npt.NDArray[np.bool_]

ETA = 1.0
BROWSED = 4
MIN_CANDIDATES, MAX_CANDIDATES = 20, 40
VIEW, LIKE, CART, ORDER = range(4)
CLICK_AT = 3.0
STEP_TO_CART, STEP_TO_ORDER = 0.8, 1.6
OUTCOME_SCALE = 0.5
SECOND = 1_000_000
CELLS = 3_000_000


@dataclass(frozen=True)
class Events:
    """(n,) each. ``position`` is -1 if the event does not follow the slate."""

    session: Integers
    item: Integers
    us: Integers
    action: Integers
    position: Integers


@dataclass(frozen=True)
class Candidates:
    """(n,) each, slate by slate, ordered by position."""

    session: Integers
    item: Integers
    position: Integers
    promoted: Flags
    outcome: Integers
    utility: Doubles
    examination: Doubles
    clicked: Flags


@dataclass(frozen=True)
class Shown:
    """(sessions, MAX_CANDIDATES) each, ordered by position. ``filled``: which cells are candidates."""

    item: Integers
    promoted: Flags
    utility: Doubles
    filled: Flags


@dataclass(frozen=True)
class SessionChunk:
    """Sessions ``first`` to ``first + len(user)``, ordered by time. ``shown_us``: the slate's time."""

    first: int
    user: Integers
    shown_us: Integers
    events: Events
    candidates: Candidates


def sessions(shop: Shop, weights: Weights) -> Iterator[SessionChunk]:
    """All sessions, in chunks that bound memory. The chunks depend only on the shop."""
    rng = np.random.default_rng([shop.seed, *b"sessions"])
    shown_us = START_US + DAY_US + np.sort((rng.random(shop.size.sessions) * (DAYS - 1) * DAY_US).astype(np.int64))
    user = rng.integers(shop.size.users, size=shop.size.sessions)
    rows = max(1, CELLS // shop.size.items)
    for number, first in enumerate(range(0, shop.size.sessions, rows)):
        part = slice(first, first + rows)
        draws = np.random.default_rng([shop.seed, number, *b"chunk"])
        yield _chunk(shop, weights, draws, first, user[part], shown_us[part])


def _chunk(
    shop: Shop, weights: Weights, rng: np.random.Generator, first: int, user: Integers, shown_us: Integers
) -> SessionChunk:
    liking = _liking(shop, weights, user, shown_us)  # (sessions, items)
    browsed, deepest = _browse(rng, liking)
    touch = np.zeros_like(liking)
    np.put_along_axis(touch, browsed, np.array([weights.viewed, weights.liked, -np.inf])[deepest], axis=1)
    item, filled = _retrieve(rng, liking, touch)
    promoted = rng.random(item.shape) < 0.15
    shown_value = np.take_along_axis(liking, item, axis=1)
    utility = (
        shown_value
        + np.take_along_axis(touch, item, axis=1)
        + weights.promoted * promoted
        + rng.normal(scale=weights.noise, size=item.shape)
    )
    # The production ranker knows only part of the utility, with much noise.
    production = np.where(filled, 0.6 * shown_value + rng.normal(size=item.shape), -np.inf)
    order = np.argsort(-production, axis=1, kind="stable")
    shown = Shown(
        item=np.take_along_axis(item, order, axis=1),
        promoted=np.take_along_axis(promoted, order, axis=1),
        utility=np.take_along_axis(utility, order, axis=1),
        filled=np.take_along_axis(filled, order, axis=1),
    )
    candidates = _outcomes(rng, first, shown)
    events = _events(rng, first, shown_us, browsed, deepest, candidates)
    return SessionChunk(first, user, shown_us, events, candidates)


def _liking(shop: Shop, weights: Weights, user: Integers, shown_us: Integers) -> Doubles:
    """(sessions, items) utility without what the session adds; -inf before an item's launch."""
    liking = weights.affinity * np.sqrt(shop.taste)[user][:, shop.category]
    liking += weights.quality * shop.quality
    liking -= weights.price * shop.relative_price().T[week_of(shown_us)]
    habit = np.zeros((len(user), shop.size.items))
    np.put_along_axis(habit, shop.favourites[user], weights.habit, axis=1)
    liking += habit
    liking[shop.launch_us > shown_us[:, None]] = -np.inf
    return np.asarray(liking)


def _browse(rng: np.random.Generator, liking: Doubles) -> tuple[Integers, Integers]:
    """(sessions, BROWSED) distinct items in the order of browsing, and the strongest action on each."""
    browsed = _first(liking + rng.gumbel(size=liking.shape), BROWSED)
    deepest = np.searchsorted([0.45, 0.75], rng.random(browsed.shape))  # VIEW, LIKE, CART
    return browsed, np.asarray(deepest, dtype=np.int64)


def _retrieve(rng: np.random.Generator, liking: Doubles, touch: Doubles) -> tuple[Integers, Flags]:
    """(sessions, MAX_CANDIDATES) distinct items, and which of them are candidates. Items in the cart are not."""
    reach = 0.6 * liking + np.where(touch > 0, 4.0, touch) + rng.gumbel(size=liking.shape)
    item = _first(reach, MAX_CANDIDATES)
    size = rng.integers(MIN_CANDIDATES, MAX_CANDIDATES + 1, size=len(liking))
    reachable = np.isfinite(np.take_along_axis(reach, item, axis=1))
    return item, (np.arange(MAX_CANDIDATES) < size[:, None]) & reachable


def _first(values: Doubles, count: int) -> Integers:
    """(n, count) columns with the largest values, in descending order."""
    found = np.argpartition(-values, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(values, found, axis=1), axis=1, kind="stable")
    return np.asarray(np.take_along_axis(found, order, axis=1), dtype=np.int64)


def _outcomes(rng: np.random.Generator, first: int, shown: Shown) -> Candidates:
    shape = shown.item.shape
    drive = shown.utility + rng.logistic(scale=OUTCOME_SCALE, size=shape) - CLICK_AT
    outcome = np.searchsorted([0.0, STEP_TO_CART, STEP_TO_ORDER], drive)
    position = np.broadcast_to(np.arange(shape[1]), shape)
    examination: Doubles = np.asarray((1.0 + position) ** -ETA, dtype=np.float64)
    clicked = (rng.random(shape) < examination) & (outcome > 0)
    session = np.broadcast_to(first + np.arange(shape[0])[:, None], shape)
    return Candidates(
        session=session[shown.filled],
        item=shown.item[shown.filled],
        position=position[shown.filled],
        promoted=shown.promoted[shown.filled],
        outcome=outcome[shown.filled],
        utility=shown.utility[shown.filled],
        examination=examination[shown.filled],
        clicked=clicked[shown.filled],
    )


def _events(
    rng: np.random.Generator, first: int, shown_us: Integers, browsed: Integers, deepest: Integers, slate: Candidates
) -> Events:
    """Browsing before the slate, then clicks on it, then the checkout. All times within a session differ."""
    session = np.broadcast_to(first + np.arange(len(browsed))[:, None], browsed.shape)
    pause = rng.integers(5 * SECOND, 40 * SECOND, size=browsed.shape)
    viewed_us = shown_us[:, None] - np.cumsum(pause[:, ::-1], axis=1)[:, ::-1]
    paid_us = shown_us[:, None] + (400 + np.arange(browsed.shape[1])) * SECOND
    clicks_us = shown_us[slate.session - first] + (slate.position + 1) * 5 * SECOND
    ordered_us = shown_us[slate.session - first] + (500 + slate.position) * SECOND
    none = np.full(browsed.shape, -1)
    parts = [
        _select(session, browsed, us, action, none, chosen)
        for us, action, chosen in (
            (viewed_us, VIEW, deepest >= VIEW),
            (viewed_us + 2 * SECOND, LIKE, deepest == LIKE),
            (viewed_us + 3 * SECOND, CART, deepest == CART),
            (paid_us, ORDER, deepest == CART),
        )
    ] + [
        _select(slate.session, slate.item, us, action, slate.position, slate.clicked & (slate.outcome >= min_outcome))
        for us, action, min_outcome in (
            (clicks_us, VIEW, 1),
            (clicks_us + 2 * SECOND, CART, 2),
            (ordered_us, ORDER, 3),
        )
    ]
    return Events(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _select(
    session: Integers, item: Integers, us: Integers, action: int, position: Integers, chosen: Flags
) -> tuple[Integers, Integers, Integers, Integers, Integers]:
    return session[chosen], item[chosen], us[chosen], np.full(int(chosen.sum()), action), position[chosen]
