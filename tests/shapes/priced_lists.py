"""Short lists of hotels with prices: the shape of the RecSys Challenge 2019 (trivago), near Expedia's search data.

``train.csv``          user_id, session_id, timestamp (unix s), step, action_type, reference, platform, city, device,
                       current_filters, impressions, prices. Only a ``clickout item`` has a list: the hotels of
                       ``impressions`` and the whole euros of ``prices`` stand in one cell each, separated by ``|``.
                       ``reference`` is the hotel clicked, of an image looked at, or the text of a search or filter.
``item_metadata.csv``  item_id, properties (separated by ``|``)

Truth: a hotel's quality, its price of the day against its city's mean times the user's sensitivity, the user's taste
for kinds of hotels, and 1.5 more for a hotel whose images the session looked at. One hotel of a list is clicked, drawn
by exp(utility) times (1 + position) ** -0.6. The order shown knows quality only, with noise.

Oddities: 2 % of clicks are on a hotel that is not in the list, a ``reference`` is ``unknown`` at times, 1 % of the rows
stand there twice, 5 % of the hotels have no metadata, most users have one or two sessions, filters are mostly empty.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.shapes.drawing import (
    DAY_US,
    SECOND_US,
    Doubles,
    heavy_tail,
    hexes,
    instants,
    memberships,
    picked,
    stream,
    tastes,
    wandering,
)
from tests.shapes.ids import SESSION, USER, named
from tests.shapes.slates import Slates, last_part, popularity
from tests.shapes.truth import Truth, plain_truth, steady_pairs

FULL, SMALL = 5_000, 500  # lists
START_US = 1_541_030_400_000_000  # 2018-11-01 UTC
DAYS = 56
CITIES = ("Rome, Italy", "Zürich, Switzerland", "São Paulo, Brazil", "Lisbon, Portugal", "Kyoto, Japan", "Austin, USA")
KINDS = ("Beach", "Business Hotel", "Spa (Wellness Facility)", "Hostel", "Family Friendly", "Romantic")
PLAIN = ("WiFi (Public Areas)", "Car Park", "Air Conditioning", "Reception (24/7)", "Satellite TV", "Pool Table")
HOTELS = 60  # of a city
LOOKED = 1.5
MISSING = 0.02


def write(folder: Path, *, seed: int = 7, size: int = FULL) -> Truth:
    """``size``: lists, about. Writes the files of the module's docstring into ``folder``."""
    truth, price_level = _world(seed, size)
    rng = stream(seed, "browsing")
    rows: list[dict[str, Any]] = []
    lists: list[tuple[str, str, int, list[int], int]] = []  # user, session, µs, hotels, clicked
    pairs: list[tuple[int, int]] = []
    users, sessions = (np.flatnonzero(np.char.startswith(truth.who, kind)) for kind in (USER, SESSION))
    begin = instants(rng, len(sessions), START_US, DAYS)
    visitor = rng.choice(len(users), size=len(sessions), p=heavy_tail(rng, len(users), 0.8))
    truth.weights[sessions], truth.sensitivity[sessions] = truth.weights[visitor], truth.sensitivity[visitor]
    for number, row in enumerate(sessions.tolist()):
        user, session = str(truth.who[visitor[number]])[2:], str(truth.who[row])[2:]
        city = int(rng.integers(len(CITIES)))
        inside = city * HOTELS + np.arange(HOTELS)
        us = int(begin[number])
        steady = {
            "user_id": user,
            "session_id": session,
            "platform": str(rng.choice(["AU", "BR", "DE", "IT", "US"])),
            "city": CITIES[city],
            "device": str(rng.choice(["mobile", "desktop", "tablet"], p=[0.5, 0.42, 0.08])),
        }
        session_rows = [_act(us, "search for destination", CITIES[city])]
        value = truth.of_all_items(row, us)[inside]
        looked = inside[picked(rng, 0.8 * value, int(rng.integers(0, 4)))].tolist()
        for hotel in looked:
            us += int(rng.integers(4, 60)) * SECOND_US
            unknown = rng.random() < MISSING
            session_rows.append(_act(us, "interaction item image", "unknown" if unknown else str(truth.items[hotel])))
        pairs += [(row, hotel) for hotel in looked]
        value = value + LOOKED * np.isin(inside, looked)
        for _ in range(1 + int(rng.geometric(0.75) - 1)):
            us += int(rng.integers(5, 120)) * SECOND_US
            if rng.random() < 0.15:
                session_rows.append(_act(us - SECOND_US, "filter selection", str(rng.choice(KINDS))))
            length = int(rng.integers(8, 26))
            reach = inside[picked(rng, 0.4 * value, length)]
            known = 0.6 * truth.quality[reach] + rng.normal(size=length)
            shown = reach[np.argsort(-known, kind="stable")]
            drive = value[shown - inside[0]] + truth.examination[:length]
            clicked = int(shown[picked(rng, drive, 1)[0]])
            outside = rng.random() < MISSING
            if outside:
                clicked = int(rng.choice(np.setdiff1d(inside, shown)))
            day = (us - START_US) // DAY_US
            session_rows.append(
                _act(us, "clickout item", str(truth.items[clicked]))
                | {
                    "current_filters": "|".join(rng.choice(KINDS, 2, replace=False)) if rng.random() < 0.1 else "",
                    "impressions": "|".join(truth.items[shown].tolist()),
                    "prices": "|".join(str(price) for price in price_level[min(day, DAYS - 1), shown].tolist()),
                }
            )
            lists.append((user, session, us, shown.tolist(), clicked))
        for step, act in enumerate(session_rows, start=1):
            rows += [{**steady, **act, "step": step}] * (2 if rng.random() < 0.01 else 1)
    _write_files(folder, truth, rows, rng)
    looked_at = sorted(set(pairs))
    who, item = ([pair[n] for pair in looked_at] for n in (0, 1))
    truth = replace(truth, pairs=steady_pairs(who, item, [LOOKED] * len(who)))
    return replace(truth, slates={"clicked": _slates(truth, lists)})


def _act(us: int, action: str, reference: str) -> dict[str, Any]:
    return {"timestamp": us // SECOND_US, "action_type": action, "reference": reference}


def _world(seed: int, size: int) -> tuple[Truth, Any]:
    """The truth without pairs, and (days, hotels) whole euros."""
    rng = stream(seed, "hotels")
    hotels, users, sessions = len(CITIES) * HOTELS, max(size // 2, 40), max(int(size * 0.75), 60)
    kind = rng.integers(len(KINDS), size=hotels)
    quality = rng.normal(scale=0.8, size=hotels)
    level = np.exp(4.5 + 0.35 * rng.normal(size=hotels) + 0.25 * quality)
    euros = np.maximum(np.rint(level * np.exp(wandering(rng, DAYS, hotels, 0.22, 0.8))), 9).astype(np.int64)
    mean = euros.reshape(DAYS, len(CITIES), HOTELS).mean(axis=2).repeat(HOTELS, axis=1)
    who = np.concatenate(
        [
            named(USER, [text.upper() for text in hexes(rng, users, 12)]),
            named(SESSION, hexes(rng, sessions, 13)),
        ]
    )
    weights: Doubles = np.zeros((len(who), len(KINDS)))
    weights[:users] = tastes(rng, users, len(KINDS), 1.2)
    sensitivity = np.zeros(len(who))
    sensitivity[:users] = -np.abs(1.6 + 0.6 * rng.normal(size=users))
    truth = plain_truth(
        who=who,
        items=np.array([str(number) for number in 1_000 + 7 * rng.permutation(hotels)]),
        quality=quality,
        weights=weights,
        loadings=memberships(rng, kind, len(KINDS), 0.3),
        start_us=START_US,
        drift=wandering(rng, DAYS, hotels, 0.3),
        sensitivity=sensitivity,
        price=np.log(euros / mean),
        examination=-0.6 * np.log1p(np.arange(25.0)),
    )
    return truth, euros


def _write_files(folder: Path, truth: Truth, rows: list[dict[str, Any]], rng: np.random.Generator) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = (
        *("user_id", "session_id", "timestamp", "step", "action_type", "reference", "platform", "city", "device"),
        *("current_filters", "impressions", "prices"),
    )
    pd.DataFrame(rows, columns=list(names)).to_csv(folder / "train.csv", index=False)
    described = rng.random(len(truth.items)) > 0.05
    properties = [
        "|".join([*(KINDS[kind] for kind in np.flatnonzero(of > 0)), *rng.choice(PLAIN, 3, replace=False)])
        for of in truth.loadings
    ]
    metadata = pd.DataFrame({"item_id": truth.items, "properties": properties})
    metadata[described].to_csv(folder / "item_metadata.csv", index=False)


def _slates(truth: Truth, lists: list[tuple[str, str, int, list[int], int]]) -> Slates:
    """Of the lists of the last 15 %."""
    us = np.array([row[2] for row in lists])
    index = {item: number for number, item in enumerate(truth.items.tolist())}
    found = popularity(START_US, len(index), np.array([row[4] for row in lists]), us)
    tested = [row for row, last in zip(lists, last_part(us).tolist(), strict=True) if last]
    flat = [
        (slate, user, session, hotel, at, position, int(hotel == clicked), float(found.at(at)[hotel]))
        for slate, (user, session, at, shown, clicked) in enumerate(tested)
        for position, hotel in enumerate(shown)
    ]
    columns = list(zip(*flat, strict=True))
    return Slates(
        slate=np.array(columns[0]),
        user=np.array(columns[1]),
        session=np.array(columns[2]),
        item=truth.items[np.array(columns[3])],
        us=np.array(columns[4]),
        position=np.array(columns[5]),
        label=np.array(columns[6]),
        popularity=np.array(columns[7]),
        wanted=np.ones(len(flat), dtype=np.int64),
    )
