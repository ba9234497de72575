"""Baskets of groceries without absolute dates: the shape of Instacart's orders.

``orders.csv``          order_id, user_id, eval_set (prior, train, test), order_number (from 1), order_dow (0 is
                        Saturday), order_hour_of_day (``08``), days_since_prior_order (whole days as ``7.0``, none
                        for the first order, at most 30)
``order_products.csv``  order_id, product_id, add_to_cart_order, reordered (0, 1), quantity
``products.csv``        product_id, product_name, aisle_id, department_id
``aisles.csv``          aisle_id, aisle
``departments.csv``     department_id, department

``quantity`` is not in the public set; grocers' own exports have it, and weighed goods in it: ``1.25``. Its unit is
kilograms there, pieces elsewhere; nothing says so but the fraction.

There is no date anywhere: what the files tell is the order of one user's orders, the days between two of them up to 30,
the day of the week and the hour. Nothing orders two users' orders. A truthful import may lay each user's orders on a
calendar of its own and must not learn from other users' orders at the same date.

Truth: a product's quality, a user's taste for its department, and a strength for each of the user's usual products that
swings with a period of its own (bread weekly, soap monthly), so that what is due is bought. A basket is drawn by
exp(utility). In the truth an order is a session and has its true time: give its id as the session, whatever time the
import made. The oracle is judged by the last 15 % of the orders by their true time: candidates are what the user had
most often before, and the most popular products.

Oddities: order ids have no order; each user's last order is ``train`` or ``test``, and a ``test`` one has no lines; 1
in 100 products has the department ``missing``; names with commas and quotes; 30.0 days mean 30 or more.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from tests.shapes.drawing import DAY_US, HOUR_US, Doubles, Integers, picked, stream, tastes
from tests.shapes.ids import SESSION, USER, named
from tests.shapes.slates import Acts, next_slates
from tests.shapes.truth import Pairs, Truth, plain_truth

FULL, SMALL = 5_000, 500  # orders
START_US = 1_483_228_800_000_000  # 2017-01-01 UTC, a Sunday; only the truth knows
DEPARTMENTS = ("produce", "dairy eggs", "bakery", "frozen", "pantry", "beverages", "household", "snacks", "missing")
AISLES = ("fresh", "packaged", "organic", "other")
WEIGHED = 0  # department
CAP = 30
PERIODS = (5.0, 7.0, 7.0, 10.0, 14.0, 28.0)  # days
HOURS = np.array([1, 1, 1, 1, 1, 2, 4, 8, 12, 14, 15, 14, 13, 13, 14, 14, 13, 11, 8, 6, 4, 3, 2, 1], dtype=np.float64)


def write(folder: Path, *, seed: int = 7, size: int = FULL) -> Truth:
    """``size``: orders. Writes the files of the module's docstring into ``folder``."""
    user, us = _orders(stream(seed, "orders"), size)
    truth = _world(seed, user, us)
    users = int(user.max()) + 1
    rng = stream(seed, "baskets")
    baskets = []
    for number, (who, at) in enumerate(zip(user.tolist(), us.tolist(), strict=True)):
        value = truth.of_all_items(users + number, at, user=who)
        baskets.append(picked(rng, value, min(2 + int(rng.geometric(0.12)), 40)))
    order = np.repeat(np.arange(size), [len(basket) for basket in baskets])
    product = np.concatenate(baskets)
    last = np.append(user[1:] != user[:-1], True)
    held_out = last & (user % 3 == 0)
    _write_files(folder, seed, truth, user, us, order, product, held_out)
    ids = np.char.replace(truth.who[users:], SESSION, "")
    kept = ~held_out[order]
    acts = Acts(order[kept], (user[order[kept]] + 1).astype(np.str_), ids[order[kept]], product[kept], us[order[kept]])
    return replace(truth, slates={"next basket": next_slates(acts, truth.items, START_US)})


def _orders(rng: np.random.Generator, size: int) -> tuple[Integers, Integers]:
    """(size,) user and true time of each order, user by user and by time."""
    users = max(size // 12, 10)
    user = np.sort(np.concatenate([np.repeat(np.arange(users), 3), rng.integers(users, size=size - 3 * users)]))
    pace = np.exp(rng.normal(2.0, 0.6, size=users))  # days between two orders
    gap = np.maximum(np.rint(pace[user] * rng.gamma(1.5, 1 / 1.5, size=size)), 0)
    first = np.append(True, user[1:] != user[:-1])
    gap[first] = rng.integers(0, 60, size=users)
    start = np.flatnonzero(first)
    day = gap.cumsum() - np.repeat(gap.cumsum()[start] - gap[start], np.diff(np.append(start, size)))
    hour = rng.choice(24, size=size, p=HOURS / HOURS.sum())
    us = (START_US + day.astype(np.int64) * DAY_US + hour * HOUR_US + np.arange(size) % 50 * 60_000_000).astype(
        np.int64
    )
    order = np.lexsort((us, user))
    return user[order], us[order]


def _world(seed: int, user: Integers, us: Integers) -> Truth:
    rng = stream(seed, "products")
    users, products = int(user.max()) + 1, int(np.clip(len(user) // 6, 200, 1_000))
    department = np.where(
        rng.random(products) < 0.01, len(DEPARTMENTS) - 1, rng.integers(len(DEPARTMENTS) - 1, size=products)
    )
    loadings: Doubles = np.zeros((products, len(DEPARTMENTS)))
    loadings[np.arange(products), department] = 1.0
    quality = rng.normal(scale=1.1, size=products)
    usual = [picked(rng, 0.7 * quality, int(rng.integers(10, 31))) for _ in range(users)]
    who = np.repeat(np.arange(users), [len(each) for each in usual])
    many = len(who)
    period = rng.choice(PERIODS, size=many) * DAY_US
    taste = tastes(rng, users, len(DEPARTMENTS), 1.5)
    order_ids = 1_000 + rng.permutation(40 * len(user))[: len(user)]
    return plain_truth(
        who=np.concatenate([named(USER, 1 + np.arange(users)), named(SESSION, order_ids)]),
        own_us=np.concatenate([np.full(users, -1), us]),
        items=(1 + np.sort(rng.choice(49_000, size=products, replace=False))).astype(np.str_),
        quality=quality,
        weights=np.vstack([taste, taste[user]]),
        loadings=loadings,
        start_us=START_US,
        pairs=Pairs(
            who=who,
            item=np.concatenate(usual),
            strength=rng.uniform(1.5, 3.5, size=many),
            swing=rng.uniform(0.2, 0.8, size=many),
            period_us=period,
            phase_us=START_US + rng.random(many) * period,
        ),
    )


def _write_files(
    folder: Path,
    seed: int,
    truth: Truth,
    user: Integers,
    us: Integers,
    order: Integers,
    product: Integers,
    held_out: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> None:
    rng = stream(seed, "files")
    folder.mkdir(parents=True, exist_ok=True)
    ids = np.char.replace(truth.who[int(user.max()) + 1 :], SESSION, "").astype(np.int64)
    orders = pd.DataFrame({"order_id": ids, "user_id": user + 1, "day": (us - START_US) // DAY_US})
    last = ~orders.duplicated("user_id", keep="last")
    orders["eval_set"] = np.where(held_out, "test", np.where(last, "train", "prior"))
    orders["order_number"] = orders.groupby("user_id").cumcount() + 1
    orders["order_dow"] = (orders["day"] + 1) % 7
    orders["order_hour_of_day"] = [f"{hour:02d}" for hour in (us // HOUR_US % 24).tolist()]
    orders["days_since_prior_order"] = orders.groupby("user_id")["day"].diff().clip(upper=CAP)
    orders.drop(columns="day").to_csv(folder / "orders.csv", index=False)
    lines = pd.DataFrame({"order": order, "order_id": ids[order], "product_id": truth.items[product].astype(np.int64)})
    lines["add_to_cart_order"] = lines.groupby("order").cumcount() + 1
    lines["user"] = user[order]
    lines["reordered"] = lines.duplicated(["user", "product_id"]).astype(np.int64)
    weighed = truth.loadings[product, WEIGHED] > 0
    pieces = rng.geometric(0.6, size=len(product))
    kilograms = np.round(rng.gamma(2.5, 0.4, size=len(product)) + 0.05, 2)
    lines["quantity"] = np.where(weighed, kilograms.astype(np.str_), pieces.astype(np.str_))
    lines = lines[~held_out[order]].sort_values(["order_id", "add_to_cart_order"])
    lines.drop(columns=["order", "user"]).to_csv(folder / "order_products.csv", index=False)
    _write_products(folder, rng, truth)


def _write_products(folder: Path, rng: np.random.Generator, truth: Truth) -> None:
    number, department = truth.items.astype(np.int64), truth.loadings.argmax(axis=1)
    aisle = department * len(AISLES) + rng.integers(len(AISLES), size=len(number))
    names = [
        f'{AISLES[kind % len(AISLES)].title()}{", large," if each % 9 == 0 else ""} "No. {each}" {DEPARTMENTS[group]}'
        for each, kind, group in zip(number.tolist(), aisle.tolist(), department.tolist(), strict=True)
    ]
    products = {"product_id": number, "product_name": names, "aisle_id": aisle + 1, "department_id": department + 1}
    pd.DataFrame(products).to_csv(folder / "products.csv", index=False)
    aisles = [f"{aisle} {department}" for department in DEPARTMENTS for aisle in AISLES]
    pd.DataFrame({"aisle_id": 1 + np.arange(len(aisles)), "aisle": aisles}).to_csv(folder / "aisles.csv", index=False)
    departments = {"department_id": 1 + np.arange(len(DEPARTMENTS)), "department": DEPARTMENTS}
    pd.DataFrame(departments).to_csv(folder / "departments.csv", index=False)
