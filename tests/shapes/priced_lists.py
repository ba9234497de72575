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

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.shapes.drawing import (
    DAY_US,
    SECOND_US,
    Doubles,
    Integers,
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


@dataclass(frozen=True)
class _List:
    """One list that was shown. ``hotels``: rows of the truth, in the order shown."""

    user: str
    session: str
    us: int
    hotels: list[int]
    clicked: int


def write(folder: Path, *, seed: int = 7, size: int = FULL) -> Truth:
    """``size``: lists, about. Writes the files of the module's docstring into ``folder``."""
    truth, euros = _world(seed, size)
    rng = stream(seed, "browsing")
    rows: list[dict[str, Any]] = []
    lists: list[_List] = []
    pairs: set[tuple[int, int]] = set()
    users, sessions = (np.flatnonzero(np.char.startswith(truth.who, kind)) for kind in (USER, SESSION))
    begin = instants(rng, len(sessions), START_US, DAYS)
    visitor = rng.choice(len(users), size=len(sessions), p=heavy_tail(rng, len(users), 0.8))
    truth.weights[sessions], truth.sensitivity[sessions] = truth.weights[visitor], truth.sensitivity[visitor]
    for row, user, us in zip(sessions.tolist(), truth.who[visitor].tolist(), begin.tolist(), strict=True):
        acts, looked, shown = _session(rng, truth, euros, row, user.removeprefix(USER), us)
        lists += shown
        pairs |= {(row, hotel) for hotel in looked}
        for step, act in enumerate(acts, start=1):
            rows += [{**act, "step": step}] * (2 if rng.random() < 0.01 else 1)
    _write_files(folder, truth, rows, rng)
    who, item = ([pair[n] for pair in sorted(pairs)] for n in (0, 1))
    truth = replace(truth, pairs=steady_pairs(who, item, [LOOKED] * len(who)))
    return replace(truth, slates={"clicked": _slates(truth, lists)})


def _session(
    rng: np.random.Generator, truth: Truth, euros: Integers, row: int, user: str, us: int
) -> tuple[list[dict[str, Any]], list[int], list[_List]]:
    """(rows of the file, hotels whose images were looked at, lists shown) of one session."""
    session = str(truth.who[row]).removeprefix(SESSION)
    city = int(rng.integers(len(CITIES)))
    inside = city * HOTELS + np.arange(HOTELS)
    steady = {
        "user_id": user,
        "session_id": session,
        "platform": str(rng.choice(["AU", "BR", "DE", "IT", "US"])),
        "city": CITIES[city],
        "device": str(rng.choice(["mobile", "desktop", "tablet"], p=[0.5, 0.42, 0.08])),
    }
    acts = [_act(us, "search for destination", CITIES[city])]
    value = truth.of_all_items(row, us)[inside]
    looked = inside[picked(rng, 0.8 * value, int(rng.integers(0, 4)))].tolist()
    for hotel in looked:
        us += int(rng.integers(4, 60)) * SECOND_US
        unknown = rng.random() < MISSING
        acts.append(_act(us, "interaction item image", "unknown" if unknown else str(truth.items[hotel])))
    value = value + LOOKED * np.isin(inside, looked)
    lists = []
    for _ in range(int(rng.geometric(0.75))):
        us += int(rng.integers(5, 120)) * SECOND_US
        if rng.random() < 0.15:
            acts.append(_act(us - SECOND_US, "filter selection", str(rng.choice(KINDS))))
        hotels, clicked = _click(rng, truth, inside, value)
        acts.append(_click_row(rng, truth, euros, us, hotels, clicked))
        lists.append(_List(user, session, us, hotels.tolist(), clicked))
    return [steady | act for act in acts], looked, lists


def _click(rng: np.random.Generator, truth: Truth, inside: Integers, value: Doubles) -> tuple[Integers, int]:
    """The hotels of a list in the order shown, and the one clicked. ``value``: of those ``inside`` the city."""
    length = int(rng.integers(8, 26))
    reach = inside[picked(rng, 0.4 * value, length)]
    known = 0.6 * truth.quality[reach] + rng.normal(size=length)
    shown = reach[np.argsort(-known, kind="stable")]
    clicked = int(shown[picked(rng, value[shown - inside[0]] + truth.examination[:length], 1)[0]])
    outside = rng.random() < MISSING
    return shown, int(rng.choice(np.setdiff1d(inside, shown))) if outside else clicked


def _click_row(
    rng: np.random.Generator, truth: Truth, euros: Integers, us: int, hotels: Integers, clicked: int
) -> dict[str, Any]:
    day = min((us - START_US) // DAY_US, DAYS - 1)
    return _act(us, "clickout item", str(truth.items[clicked])) | {
        "current_filters": "|".join(rng.choice(KINDS, 2, replace=False)) if rng.random() < 0.1 else "",
        "impressions": "|".join(truth.items[hotels].tolist()),
        "prices": "|".join(str(price) for price in euros[day, hotels].tolist()),
    }


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


def _slates(truth: Truth, lists: list[_List]) -> Slates:
    """Of the lists of the last 15 %."""
    us = np.array([each.us for each in lists])
    found = popularity(START_US, len(truth.items), np.array([each.clicked for each in lists]), us)
    tested = [each for each, last in zip(lists, last_part(us).tolist(), strict=True) if last]
    many = [len(each.hotels) for each in tested]
    hotel = np.concatenate([each.hotels for each in tested])
    return Slates(
        slate=np.repeat(np.arange(len(tested)), many),
        user=np.repeat([each.user for each in tested], many),
        session=np.repeat([each.session for each in tested], many),
        item=truth.items[hotel],
        us=np.repeat([each.us for each in tested], many),
        position=np.concatenate([np.arange(length) for length in many]),
        label=(hotel == np.repeat([each.clicked for each in tested], many)).astype(np.int64),
        popularity=np.concatenate([found.at(each.us)[each.hotels] for each in tested]).astype(np.float64),
        wanted=np.ones(len(hotel), dtype=np.int64),
    )
