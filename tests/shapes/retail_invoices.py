"""Invoices with returns and no lists: the shape of UCI's Online Retail.

``online_retail.csv``, Latin-1: Invoice, StockCode, Description, Quantity, InvoiceDate (``01/12/2010 08:26``, day first,
local time of London), UnitPrice (pounds), CustomerID (``17850.0``), Country. One row per line of an invoice.

Truth: a product's quality and its drift from day to day, the customer's taste for its family, and a steady strength for
the twelve products or so that a customer buys again and again. The lines of an invoice are drawn by exp(utility),
without repeats. The truth knows whose an invoice without a CustomerID is. The oracle is judged by the invoices of known
customers in the last 15 %: candidates are what the customer bought most often before and the most popular products.

Oddities: a quarter of the sales are without a CustomerID; 2 to 3 % of the lines are returns: an invoice ``C…`` with a
negative quantity, minutes to weeks after the sale; postage, manual entries and bank charges stand among the products
(``POST``, ``M``, ``BANK CHARGES``); write-offs have the price 0.0, no customer and a description such as ``damaged?``
or none; one bad debt has a negative price; one line of 80995 pieces is returned twelve minutes later; 1 % of the lines
stand there twice; ``£`` and accents in descriptions; codes such as ``85123A`` beside ``20725``; 1 % of the descriptions
are ``check``. The clocks go forward on 27 March 2011.

Times in the truth are local. It only counts days, which are the same in UTC while the shop is open.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.shapes.drawing import Integers, heavy_tail, instants, memberships, picked, stream, tastes, wandering
from tests.shapes.ids import SESSION, USER, named
from tests.shapes.slates import Acts, next_slates
from tests.shapes.truth import Truth, plain_truth, steady_pairs

FULL, SMALL = 5_000, 400  # invoices with a sale
START_US = 1_291_161_600_000_000  # 2010-12-01, as local time
DAYS = 200
ZONE = "Europe/London"
OPEN = np.array([0, 0, 0, 0, 0, 0, 0, 1, 5, 8, 11, 12, 16, 15, 13, 12, 8, 5, 2, 1, 0, 0, 0, 0], dtype=np.float64)
WEEK = np.array([1.0, 1.1, 1.1, 1.2, 0.9, 0.0, 0.7])  # closed on Saturdays
FAMILIES = ("LIGHT HOLDER", "CAKE TIN", "LUNCH BAG", "BUNTING", "CLOCK", "CAFÉ MUG", "£1 GIFT TAG", "PAPER CHAIN KIT")
COLOURS = ("WHITE", "RED RETROSPOT", "PINK", "BLUE", "VINTAGE", "CRÈME", "SET OF 6", "JUMBO")
COUNTRIES = ("United Kingdom", "Germany", "France", "EIRE", "Netherlands", "Unspecified")
UNKNOWN, RETURNED, TWICE = 0.25, 0.025, 0.01
FIRST_INVOICE = 536_365
OTHER_ENTRIES = {"POST": 0.06, "M": 0.006, "B": 1e-6, "BANK CHARGES": 1e-6}  # share of the invoices that have one
NAMES = ("Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
MINUTE_US, DAY_US = 60_000_000, 86_400_000_000


def write(folder: Path, *, seed: int = 7, size: int = FULL) -> Truth:
    """``size``: invoices with a sale. Writes the file of the module's docstring into ``folder``."""
    truth = _world(seed, size)
    rng = stream(seed, "invoices")
    us = instants(rng, size, START_US, DAYS, OPEN, WEEK) // MINUTE_US * MINUTE_US
    buyer = rng.choice(len(truth.who), size=size, p=heavy_tail(rng, len(truth.who), 0.8))
    lines = [
        _lines(rng, truth, number, int(who), int(at)) for number, (who, at) in enumerate(zip(buyer, us, strict=True))
    ]
    invoice, product = (np.concatenate([part[n] for part in lines]) for n in (0, 1))
    anonymous = rng.random(size) < UNKNOWN
    _write_file(folder, seed, truth, invoice, product, us, buyer, anonymous)
    truth = _with_other_entries(_with_sessions(truth, buyer, np.flatnonzero(anonymous)), len(invoice) / size)
    known = ~anonymous[invoice]
    acts = Acts(
        invoice[known],
        np.char.replace(truth.who[buyer[invoice[known]]], USER, ""),
        (FIRST_INVOICE + invoice[known]).astype(np.str_),
        product[known],
        us[invoice[known]],
    )
    return replace(truth, slates={"next invoice": next_slates(acts, truth.items, START_US)})


def _world(seed: int, size: int) -> Truth:
    rng = stream(seed, "products")
    users, products = max(size // 14, 15), int(np.clip(size // 5, 150, 900))
    kind = rng.integers(len(FAMILIES), size=products)
    usual = [rng.choice(products, size=int(rng.integers(6, 19)), replace=False) for _ in range(users)]
    codes = 20_000 + np.sort(rng.choice(60_000, size=products, replace=False))
    letter = np.where(rng.random(products) < 0.15, rng.choice(["A", "B", "C"], size=products), "")
    who = np.repeat(np.arange(users), [len(each) for each in usual])
    return plain_truth(
        who=named(USER, 12_346 + 3 * np.arange(users)),
        items=np.char.add(codes.astype(np.str_), letter),
        quality=rng.normal(scale=1.0, size=products),
        weights=tastes(rng, users, len(FAMILIES), 1.5),
        loadings=memberships(rng, kind, len(FAMILIES), 0.2),
        start_us=START_US,
        drift=wandering(rng, DAYS, products, 0.6, 0.98),
        pairs=steady_pairs(who, np.concatenate(usual), rng.uniform(1.5, 4.0, size=len(who))),
    )


def _with_sessions(truth: Truth, buyer: Integers, invoices: Integers) -> Truth:
    """The invoices of nobody as sessions, each with all that its buyer has."""
    rows = buyer[invoices]
    many = np.bincount(truth.pairs.who, minlength=len(truth.who))
    first = np.searchsorted(truth.pairs.who, rows)  # the pairs are in the order of the users
    theirs = np.concatenate([first[n] + np.arange(many[row]) for n, row in enumerate(rows.tolist())])
    who = len(truth.who) + np.repeat(np.arange(len(rows)), many[rows])
    pairs = steady_pairs(
        np.append(truth.pairs.who, who),
        np.append(truth.pairs.item, truth.pairs.item[theirs]),
        np.append(truth.pairs.strength, truth.pairs.strength[theirs]),
    )
    return replace(
        truth,
        who=np.concatenate([truth.who, named(SESSION, FIRST_INVOICE + invoices)]),
        own_us=np.append(truth.own_us, np.full(len(rows), -1)),
        weights=np.vstack([truth.weights, truth.weights[rows]]),
        sensitivity=np.append(truth.sensitivity, truth.sensitivity[rows]),
        pairs=pairs,
    )


def _with_other_entries(truth: Truth, lines: float) -> Truth:
    """The entries that are no products as items, each as likely as its share of the invoices says.

    ``lines``: of an invoice on average. A product's chance to be one of them is about lines * exp(utility) / sum.
    """
    users = np.flatnonzero(np.char.startswith(truth.who, USER)).tolist()
    total = np.mean([np.log(np.exp(truth.of_all_items(row, START_US)).sum()) for row in users[:200]])
    many, days = len(OTHER_ENTRIES), len(truth.drift)
    return replace(
        truth,
        items=np.concatenate([truth.items, list(OTHER_ENTRIES)]),
        quality=np.append(truth.quality, np.log(list(OTHER_ENTRIES.values())) - np.log(lines) + total),
        loadings=np.vstack([truth.loadings, np.zeros((many, truth.loadings.shape[1]))]),
        drift=np.hstack([truth.drift, np.zeros((days, many))]),
        price=np.hstack([truth.price, np.zeros((days, many))]),
    )


def _lines(rng: np.random.Generator, truth: Truth, number: int, who: int, us: int) -> tuple[Integers, Integers]:
    product = picked(rng, truth.of_all_items(who, us), min(int(rng.geometric(0.11)), 40))
    return np.full(len(product), number), product


def _write_file(
    folder: Path,
    seed: int,
    truth: Truth,
    invoice: Integers,
    product: Integers,
    us: Integers,
    buyer: Integers,
    anonymous: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> None:
    rng = stream(seed, "file")
    pounds = np.maximum(np.exp(rng.normal(0.9, 0.8, size=len(truth.items))).round(2), 0.12)
    described = _descriptions(rng, truth)
    country = rng.choice(COUNTRIES, size=len(truth.who), p=[0.9, 0.03, 0.03, 0.02, 0.01, 0.01])
    quantity = np.minimum(np.rint(np.exp(rng.normal(1.2, 1.0, size=len(invoice)))).astype(np.int64) + 1, 4_000)
    found = pd.DataFrame(
        {
            "us": us[invoice],
            "Invoice": (FIRST_INVOICE + invoice).astype(np.str_),
            "StockCode": truth.items[product],
            "Description": np.where(rng.random(len(product)) < 0.01, "check", np.array(described)[product]),
            "Quantity": quantity,
            "UnitPrice": pounds[product],
            "CustomerID": np.where(anonymous, "", np.char.add(np.char.replace(truth.who[buyer], USER, ""), ".0"))[
                invoice
            ],
            "Country": country[buyer[invoice]],
        }
    )
    again = found[rng.random(len(found)) < TWICE]
    rows = pd.concat([found, again, _returns(rng, found), _other_entries(rng, found)])
    rows = rows.sort_values(["us", "Invoice"], kind="stable")
    rows["InvoiceDate"] = pd.to_datetime(rows["us"], unit="us").dt.strftime("%d/%m/%Y %H:%M")
    folder.mkdir(parents=True, exist_ok=True)
    rows[list(NAMES)].to_csv(folder / "online_retail.csv", index=False, encoding="latin-1")


def _descriptions(rng: np.random.Generator, truth: Truth) -> list[str]:
    colour = rng.choice(COLOURS, size=len(truth.items))
    family = truth.loadings.argmax(axis=1)
    return [
        f"{one} {FAMILIES[kind]} {number}"
        for number, (one, kind) in enumerate(zip(colour.tolist(), family.tolist(), strict=True))
    ]


def _returns(rng: np.random.Generator, found: pd.DataFrame) -> pd.DataFrame:
    """Lines of known customers, sent back in part or as a whole."""
    known = found[found["CustomerID"] != ""]
    back = known[rng.random(len(known)) < RETURNED].copy()
    back["Quantity"] = -np.ceil(back["Quantity"] * rng.choice([1.0, 0.5], size=len(back))).astype(np.int64)
    later = back["us"] + rng.integers(0, 31, size=len(back)) * DAY_US + rng.integers(1, 60, size=len(back)) * MINUTE_US
    back["us"] = later.clip(upper=int(found["us"].max()))
    back["Invoice"] = [f"C{640_000 + number}" for number in range(len(back))]
    return back


def _other_entries(rng: np.random.Generator, found: pd.DataFrame) -> pd.DataFrame:
    """What is no sale of a product."""
    sales = found[found["CustomerID"] != ""].drop_duplicates("Invoice")
    some = sales.sample(frac=OTHER_ENTRIES["POST"], random_state=rng)
    postage = some.assign(StockCode="POST", Description="POSTAGE", Quantity=1, UnitPrice=18.0)
    manual = some.head(max(len(some) // 10, 1)).assign(StockCode="M", Description="Manual", Quantity=1, UnitPrice=1.25)
    written_off = found.sample(frac=0.005, random_state=rng)
    many = len(written_off)
    written_off = written_off.assign(
        Invoice=[str(700_000 + number) for number in range(many)],
        Description=rng.choice(["damaged?", "?", "", "thrown away"], size=many),
        Quantity=-rng.integers(1, 300, size=many),
        UnitPrice=0.0,
        CustomerID="",
        Country="United Kingdom",
    )
    one: dict[Any, Any] = found.iloc[len(found) // 2].to_dict()
    single = [
        one | {"Invoice": "A563185", "StockCode": "B", "Description": "Adjust bad debt", "Quantity": 1}
        | {"UnitPrice": -11062.06, "CustomerID": ""},
        one | {"Invoice": "C641997", "StockCode": "BANK CHARGES", "Description": "Bank Charges", "Quantity": -1}
        | {"UnitPrice": 37.5, "CustomerID": ""},
        one | {"Invoice": "690000", "Quantity": 80_995, "UnitPrice": 2.08, "CustomerID": "16446.0"},
        one | {"Invoice": "C690001", "Quantity": -80_995, "UnitPrice": 2.08, "CustomerID": "16446.0"}
        | {"us": one["us"] + 12 * MINUTE_US},
    ]  # fmt: skip
    return pd.concat([postage, manual, written_off, pd.DataFrame(single)])
