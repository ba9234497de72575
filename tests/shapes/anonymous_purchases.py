"""Views, carts and purchases of mostly anonymous visitors: the shape of REES46's store logs, in Indonesian rupiah.

``events.csv.gz``  event_time (``2024-05-01 03:12:09 UTC``), event_type (view, cart, purchase), product_id, category_id,
                   category_code (``electronics.phone``), brand, price (rupiah, up to tens of millions), user_id,
                   user_session

Truth: a product's quality and drift, its price against its category's mean times the visitor's sensitivity, and the
session's taste for categories: half the user's own, half an intent. A session views products drawn by exp(utility).
Of those viewed it puts one or two into the cart and may buy them: drawn by the same utility, plus an interest of its
own in each that it viewed, which the truth knows. The oracle is judged by the purchases of the last 15 % that have a
session: candidates are what the session viewed before, what the user bought before, and the most purchased products.

Oddities: user_id is missing in 80 % of the rows (nobody logged in), user_session in 15 %, so that some rows have
neither; category_code is missing in 30 % of the products and brand in 20 %; the price changes from week to week; a
purchase is there without a cart now and then; 0.3 % of the rows stand there twice; times of a session can be equal.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from tests.shapes.drawing import (
    DAY_US,
    SECOND_US,
    Integers,
    heavy_tail,
    hexes,
    instants,
    picked,
    stream,
    tastes,
    wandering,
)
from tests.shapes.ids import SESSION, USER, named
from tests.shapes.slates import Acts, Slates, next_slates
from tests.shapes.truth import Pairs, Truth, plain_truth, steady_pairs

FULL, SMALL = 9_000, 900  # sessions
START_US = 1_714_521_600_000_000  # 2024-05-01 UTC
DAYS = 56
KNOWN, WITH_SESSION = 0.2, 0.85
CATEGORIES = (
    *("electronics.phone", "electronics.audio", "appliances.kitchen", "apparel.shoes", "apparel.shirt"),
    *("furniture.bed", "kids.toys", "computers.notebook", "sport.bicycle", "beauty.skin"),
)
LEVEL = np.array([3.5e6, 6e5, 1.2e6, 4e5, 1.5e5, 4e6, 2e5, 9e6, 3e6, 9e4])  # mean price of each
Action = tuple[int, int, str, int]  # session, µs, event_type, product


def write(folder: Path, *, seed: int = 7, size: int = FULL) -> Truth:
    """``size``: sessions. Writes the file of the module's docstring into ``folder``."""
    truth, rupiah, visitor = _world(seed, size)
    first_session = len(truth.who) - size
    rng = stream(seed, "sessions")
    begin = instants(rng, size, START_US, DAYS)
    actions: list[Action] = []
    pairs: list[Pairs] = []
    for session in range(size):
        us = int(begin[session])
        row = first_session + session
        value = truth.of_all_items(row, us)
        viewed = picked(rng, value, min(1 + int(rng.geometric(0.22)), 25))
        interest = rng.normal(scale=1.2, size=len(viewed))
        pairs.append(steady_pairs(np.full(len(viewed), row), viewed, 2.5 + interest))
        for product in viewed.tolist():
            actions.append((session, us, "view", product))
            us += int(rng.integers(0, 90)) * SECOND_US
        if rng.random() < 0.6:
            wanted = viewed[picked(rng, value[viewed] + interest, min(int(rng.geometric(0.7)), len(viewed)))]
            carted = wanted[rng.random(len(wanted)) < 0.9]
            actions += [(session, us + 5 * SECOND_US * n, "cart", product) for n, product in enumerate(carted.tolist())]
            if rng.random() < 0.65:
                us += int(rng.integers(60, 900)) * SECOND_US
                actions += [(session, us, "purchase", product) for product in wanted.tolist()]
    joined = Pairs(*(np.concatenate([getattr(part, name) for part in pairs]) for name in Pairs.__dataclass_fields__))
    truth = replace(truth, pairs=joined)
    with_session = stream(seed, "file").random(size) < WITH_SESSION
    _write_file(folder, seed, truth, rupiah, actions, visitor, with_session)
    return replace(truth, slates={"next purchase": _next_purchases(truth, actions, visitor, with_session)})


def _world(seed: int, sessions: int) -> tuple[Truth, Integers, Integers]:
    """The truth without pairs, (days, products) rupiah, and (sessions,) the user or -1."""
    rng = stream(seed, "products")
    users, products = max(sessions // 40, 20), int(np.clip(sessions // 10, 120, 900))
    kind = rng.choice(len(CATEGORIES), size=products, p=heavy_tail(rng, len(CATEGORIES), 0.5))
    week = np.arange(DAYS) // 7
    price = LEVEL[kind] * np.exp(rng.normal(scale=0.5, size=products))
    moves = np.exp(wandering(rng, int(week.max()) + 1, products, 0.12, 0.5))[week]
    rupiah = np.maximum(np.rint(price * moves / 1000) * 1000, 5_000).astype(np.int64)
    taste = tastes(rng, users, len(CATEGORIES), 2.5)
    visitor = np.where(
        rng.random(sessions) < KNOWN, rng.choice(users, size=sessions, p=heavy_tail(rng, users, 0.7)), -1
    )
    own = np.where(visitor[:, None] >= 0, taste[visitor], tastes(rng, sessions, len(CATEGORIES), 2.5))
    sensitivity = -np.abs(rng.normal(0.7, 0.3, size=users + sessions))
    codes = [str(number) for number in 1_000_000 + np.sort(rng.choice(9_000_000, size=products, replace=False))]
    loadings = np.zeros((products, len(CATEGORIES)))
    loadings[np.arange(products), kind] = 1.0
    truth = plain_truth(
        who=np.concatenate(
            [named(USER, 512_000_001 + 17 * np.arange(users)), named(SESSION, _sessions(seed, sessions))]
        ),
        items=np.array(codes),
        quality=rng.normal(scale=0.9, size=products),
        weights=np.vstack([taste, 0.5 * own + 0.5 * tastes(rng, sessions, len(CATEGORIES), 4.0, narrow=0.1)]),
        loadings=loadings,
        start_us=START_US,
        drift=wandering(rng, DAYS, products, 0.5),
        sensitivity=sensitivity,
        price=np.log(rupiah / LEVEL[kind]),
    )
    return truth, rupiah, visitor


def _sessions(seed: int, count: int) -> list[str]:
    """Ids in the form of a UUID."""
    drawn = hexes(stream(seed, "session ids"), count, 32)
    return ["-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:])) for text in drawn]


def _write_file(
    folder: Path,
    seed: int,
    truth: Truth,
    rupiah: Integers,
    actions: list[Action],
    visitor: Integers,
    with_session: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> None:
    rng = stream(seed, "columns")
    actions = sorted(actions, key=lambda action: action[1])
    session = np.array([action[0] for action in actions])
    us, product = np.array([action[1] for action in actions]), np.array([action[3] for action in actions])
    kind = truth.loadings.argmax(axis=1)
    code = np.where(rng.random(len(kind)) < 0.3, "", np.array(CATEGORIES)[kind])
    brand = np.where(rng.random(len(kind)) < 0.2, "", rng.choice(["samsung", "polytron", "eiger", "uniqlo"], len(kind)))
    users = np.char.replace(truth.who, USER, "")
    ids = np.char.replace(truth.who[len(users) - len(visitor) :], SESSION, "")
    day = np.minimum((us - START_US) // DAY_US, DAYS - 1)
    found = pd.DataFrame(
        {
            "event_time": pd.to_datetime(us, unit="us").strftime("%Y-%m-%d %H:%M:%S UTC"),
            "event_type": [action[2] for action in actions],
            "product_id": truth.items[product],
            "category_id": (2_053_013_550_000_000_000 + 7 * kind)[product],
            "category_code": code[product],
            "brand": brand[product],
            "price": rupiah[day, product],
            "user_id": np.where(visitor >= 0, users[visitor], "")[session],
            "user_session": np.where(with_session, ids, "")[session],
        }
    )
    rows = found.iloc[np.repeat(np.arange(len(found)), 1 + (rng.random(len(found)) < 0.003))]
    folder.mkdir(parents=True, exist_ok=True)
    rows.to_csv(folder / "events.csv.gz", index=False, compression={"method": "gzip", "mtime": 1})


def _next_purchases(
    truth: Truth,
    actions: list[Action],
    visitor: Integers,
    with_session: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> Slates:
    viewed: dict[int, list[int]] = defaultdict(list)
    for number, _, action, product in actions:
        if action == "view":
            viewed[number].append(product)
    bought = [action for action in actions if action[2] == "purchase" and with_session[action[0]]]
    session = np.array([action[0] for action in bought])
    users = np.char.replace(truth.who, USER, "")
    ids = np.char.replace(truth.who[len(users) - len(visitor) :], SESSION, "")
    acts = Acts(
        session,
        np.where(visitor >= 0, users[visitor], "")[session],
        ids[session],
        np.array([action[3] for action in bought]),
        np.array([action[1] for action in bought]),
    )
    return next_slates(acts, truth.items, START_US, touched=viewed)
