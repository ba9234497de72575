"""The people of the sample and their sessions.

A person has an activity and a buying rate (both log-normal), favourite categories, devices, and perhaps no account.
Sessions come from two processes, so that who buys, and what, can be predicted:

intents      an interest in one category and one favourite item of it: a few sessions within days. The last one buys
             the favourite with probability sigmoid(BASE + ln(buying rate) + ln(strength) + EACH * (sessions - 1)).
             ``strength`` also makes the person return to the favourite within the sessions.
repetitions  an item that the person buys again and again, after its own interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feature_repo.datasets.samples.stokman.catalog import DAY_US, Catalog, Doubles, Integers

Mask = npt.NDArray[np.bool_]

FAVOURITES = 3  # categories of a person
TO_FAVOURITE = 0.75
INTENTS, REPETITIONS = 1.0, 0.035  # per unit of activity
BASE, EACH = -2.2, 0.3
MAX_SESSIONS = 12  # of one intent
DAYS_BETWEEN = 0.9
INTERVAL_DAYS, SHORTEST, LONGEST = 18.0, 5.0, 60.0
WITHOUT_ACCOUNT, ANONYMOUS, SHARED = 0.15, 0.25, 0.02  # shares of people, of sessions, of people who share a device
DEVICES = 3


@dataclass(frozen=True)
class People:
    """(n,) each, of all people. ``first``: the number of the first one."""

    first: int
    activity: Doubles
    buying: Doubles
    has_account: Mask
    devices: Integers  # how many

    def part(self, first: int, last: int) -> People:
        rows = slice(first, last)
        return People(first, self.activity[rows], self.buying[rows], self.has_account[rows], self.devices[rows])


@dataclass(frozen=True)
class Sessions:
    """(n,) each. ``person``: number among the sample's people. ``bought``: an item, -1 for none."""

    person: Integers
    us: Integers
    category: Integers
    favourite: Integers
    strength: Doubles
    bought: Integers
    is_repetition: Mask
    since_us: Integers  # start of the intent, or of the repetitions: from then on an oracle knows the item
    cookie: Integers
    is_anonymous: Mask

    def __len__(self) -> int:
        return len(self.person)

    def where(self, mask: Mask | Integers) -> Sessions:
        return Sessions(**{name: column[mask] for name, column in vars(self).items()})


def people(rng: np.random.Generator, count: int) -> People:
    return People(
        first=0,
        activity=np.exp(rng.normal(0, 1.0, count)).clip(max=40),
        buying=np.exp(rng.normal(0, 0.8, count)),
        has_account=rng.random(count) >= WITHOUT_ACCOUNT,
        devices=1 + rng.binomial(DEVICES - 1, 0.25, count),
    )


def sessions(rng: np.random.Generator, catalog: Catalog, part: People, days: int, factor: float) -> Sessions:
    """The sessions of some people, by person and time. ``factor`` multiplies everybody's activity."""
    favourites = catalog.category[catalog.popular(rng, FAVOURITES * len(part.activity))].reshape(-1, FAVOURITES)
    found = [
        _intents(rng, catalog, part, favourites, days, factor),
        _repetitions(rng, catalog, part, favourites, days, factor),
    ]
    joined = Sessions(**{name: np.concatenate([getattr(each, name) for each in found]) for name in vars(found[0])})
    inside = joined.us < catalog.start_us + days * DAY_US
    joined = joined.where(inside)
    return joined.where(np.lexsort((joined.us, joined.person)))


def _intents(
    rng: np.random.Generator, catalog: Catalog, part: People, favourites: Integers, days: int, factor: float
) -> Sessions:
    owner = np.repeat(np.arange(len(part.activity)), rng.poisson(INTENTS * factor * part.activity))
    n = len(owner)
    category = np.where(
        rng.random(n) < TO_FAVOURITE,
        favourites[owner, rng.integers(0, FAVOURITES, n)],
        catalog.category[catalog.popular(rng, n)],
    )
    begin_us = catalog.start_us + (rng.random(n) * days * DAY_US).astype(np.int64)
    favourite = catalog.seen_at(catalog.of_category(rng, category), begin_us)
    strength = np.exp(rng.normal(0, 0.8, n))
    count = rng.geometric(0.45, n).clip(max=MAX_SESSIONS)
    drive = BASE + np.log(part.buying[owner]) + np.log(strength) + EACH * (count - 1)
    buys = rng.random(n) < 1 / (1 + np.exp(-drive))
    intent = np.repeat(np.arange(n), count)
    number = np.arange(len(intent)) - (np.cumsum(count) - count)[intent]
    pauses = np.where(number == 0, 0, rng.exponential(DAYS_BETWEEN, len(intent)) * DAY_US)
    elapsed = np.cumsum(pauses)
    elapsed -= elapsed[(np.cumsum(count) - count)[intent]]
    is_last = number == count[intent] - 1
    return _visited(
        rng,
        part,
        owner[intent],
        us=_at_an_hour(rng, begin_us[intent] + elapsed.astype(np.int64)),
        category=category[intent],
        favourite=favourite[intent],
        strength=strength[intent],
        bought=np.where(is_last & buys[intent], favourite[intent], -1),
        is_repetition=np.zeros(len(intent), np.bool_),
        since_us=begin_us[intent],
    )


def _repetitions(
    rng: np.random.Generator, catalog: Catalog, part: People, favourites: Integers, days: int, factor: float
) -> Sessions:
    owner = np.repeat(np.arange(len(part.activity)), rng.poisson(REPETITIONS * factor * part.activity))
    n = len(owner)
    category = favourites[owner, rng.integers(0, FAVOURITES, n)]
    item = catalog.seen_at(catalog.of_category(rng, category), np.full(n, catalog.start_us))
    interval = (INTERVAL_DAYS * np.exp(rng.normal(0, 0.5, n))).clip(SHORTEST, LONGEST) * DAY_US
    count = np.ceil(days * DAY_US / interval).astype(np.int64)
    first = rng.random(n) * interval
    each = np.repeat(np.arange(n), count)
    number = np.arange(len(each)) - (np.cumsum(count) - count)[each]
    due = first[each] + number * interval[each] + rng.normal(0, 0.12, len(each)) * interval[each]
    return _visited(
        rng,
        part,
        owner[each],
        us=_at_an_hour(rng, catalog.start_us + due.clip(min=0).astype(np.int64)),
        category=category[each],
        favourite=item[each],
        strength=np.ones(len(each)),
        bought=item[each],
        is_repetition=np.ones(len(each), np.bool_),
        since_us=catalog.start_us + first[each].astype(np.int64),
    )


def _visited(rng: np.random.Generator, part: People, owner: Integers, **columns: npt.NDArray[np.generic]) -> Sessions:
    """The sessions with their device: the first is the most used one, and a few people share it with a neighbour."""
    person = part.first + owner
    device = (part.devices[owner] * rng.random(len(owner)) ** 3).astype(np.int64)
    shares = person % round(1 / SHARED) == 1
    holder = np.where(shares & (device == 0), person - 1, person)
    anonymous = ~part.has_account[owner] | (rng.random(len(owner)) < ANONYMOUS)
    return Sessions(person=person, cookie=holder * DEVICES + device, is_anonymous=anonymous, **columns)  # type: ignore[arg-type]


def _at_an_hour(rng: np.random.Generator, us: Integers) -> Integers:
    """The same days, at a time around noon or in the evening, never before the day's first 20 minutes."""
    hour = np.where(rng.random(len(us)) < 0.4, rng.normal(12, 2, len(us)), rng.normal(19.5, 2, len(us)))
    seconds = (hour * 3_600).clip(1_200, 84_000).astype(np.int64)
    return us // DAY_US * DAY_US + seconds * 1_000_000
