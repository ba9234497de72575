"""The lists that a generator judges its oracle by, and the ones it makes where the files hold no lists.

A list is made from a purchase, a click or a rating: its candidates are the items that the user had most often before,
those that the session touched before, and the most popular ones of 28 days before. Label 1 is what followed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tests.shapes.ids import Texts

Integers = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

TEST_SHARE = 0.15
POPULAR_DAYS, DAY_US = 28, 86_400_000_000
DEPTH = 10


@dataclass(frozen=True)
class Slates:
    """(n,) each, slate by slate. ``position``: from 0 in the caller's order, -1 where there is none.

    ``popularity``: labels above 0 of the item in the 28 days before. ``wanted``: items that followed, in the slate or
    not, of the row's slate.
    """

    slate: Integers
    user: Texts
    session: Texts
    item: Texts
    us: Integers
    position: Integers
    label: Integers
    popularity: Doubles
    wanted: Integers

    def columns(self) -> dict[str, npt.NDArray[np.generic]]:
        return dict(vars(self))

    def ndcg(self, scores: Doubles) -> Doubles:
        """(slates,) NDCG@10, equal scores counted against; NaN without a positive label."""
        best = self._gain(np.lexsort((-self.label, self.slate)))
        got = self._gain(np.lexsort((self.label, -scores, self.slate)))
        return np.asarray(got / np.where(best > 0, best, np.nan))

    def _gain(self, order: npt.NDArray[np.intp]) -> Doubles:
        """(slates,) discounted gain of the rows in ``order``, which keeps slates together."""
        first, size = np.unique(self.slate, return_index=True, return_counts=True)[1:]
        position = np.arange(len(order)) - np.repeat(first, size)
        gain = np.where(position < DEPTH, (2.0 ** self.label[order] - 1) / np.log2(position + 2.0), 0.0)
        return np.asarray(np.add.reduceat(gain, first))


def last_part(instants_us: Integers) -> npt.NDArray[np.bool_]:
    """Which of the lists are the last 15 % by time."""
    order = np.argsort(instants_us, kind="stable")
    part = np.zeros(len(instants_us), dtype=np.bool_)
    part[order[int(np.ceil((1 - TEST_SHARE) * len(order))) :]] = True
    return part


@dataclass(frozen=True)
class Popularity:
    """How often each item was taken in the 28 days before a day. ``before``: (d + 1, i) counts before each day."""

    start_us: int
    before: Integers

    def at(self, us: int) -> Integers:
        """(i,) counts of the 28 whole days before the day of ``us``."""
        day = min(max((us - self.start_us) // DAY_US, 0), len(self.before) - 1)
        return np.asarray(self.before[day] - self.before[max(day - POPULAR_DAYS, 0)], dtype=np.int64)


def popularity(start_us: int, items: int, item: Integers, us: Integers) -> Popularity:
    """Of acts (n,) on items at times in µs."""
    day = (us - start_us) // DAY_US
    counts = np.zeros((int(day.max(initial=0)) + 2, items), dtype=np.int64)
    np.add.at(counts, (day + 1, item), 1)
    return Popularity(start_us, counts.cumsum(axis=0))


@dataclass(frozen=True)
class Acts:
    """(n,) each, by time: ``basket`` is what one list is made for, ``us`` the time of the act.

    ``user``, ``session``: texts, empty where unknown. ``item``: index.
    """

    basket: Integers
    user: Texts
    session: Texts
    item: Integers
    us: Integers

    def sorted(self) -> Acts:
        order = np.lexsort((np.arange(len(self.us)), self.us))
        return Acts(*(getattr(self, name)[order] for name in Acts.__dataclass_fields__))


def next_slates(
    acts: Acts,
    items: Texts,
    start_us: int,
    *,
    touched: Mapping[int, list[int]] | None = None,
    own: int = 30,
    popular: int = 50,
    kind: Integers | None = None,
    only_new: bool = False,
) -> Slates:
    """The lists of the baskets of the last 15 %. Baskets without a bought candidate stay in, without a positive.

    ``touched``: basket -> items that its session touched before. ``only_new``: leave out what the user had before.
    ``kind``: (i,) of each item; then the ``own`` most popular of each kind touched are candidates too.
    """
    acts = acts.sorted()
    found = popularity(start_us, len(items), acts.item, acts.us)
    baskets: dict[int, list[int]] = defaultdict(list)
    for row, basket in enumerate(acts.basket.tolist()):
        baskets[basket].append(row)
    tested = last_part(np.array([acts.us[rows[0]] for rows in baskets.values()])).tolist()
    had: dict[str, Counter[int]] = defaultdict(Counter)
    flat: list[tuple[int, int, int, bool, int, int]] = []
    for (basket, rows), last in zip(baskets.items(), tested, strict=True):
        user, wanted = str(acts.user[rows[0]]), set(acts.item[rows].tolist())
        if last:
            counts = found.at(int(acts.us[rows[0]]))
            before = (touched or {}).get(basket, [])
            for each in _candidates(had[user], before, counts, own, popular, kind, only_new):
                flat.append((basket, rows[0], each, each in wanted, int(counts[each]), len(wanted)))
        had[user].update(wanted if user else ())
    at, item = (np.array([row[n] for row in flat], dtype=np.int64) for n in (1, 2))
    return Slates(
        slate=np.cumsum(np.diff(at, prepend=at[:1]) != 0),
        user=acts.user[at],
        session=acts.session[at],
        item=items[item],
        us=acts.us[at],
        position=np.full(len(flat), -1, dtype=np.int64),
        label=np.array([row[3] for row in flat], dtype=np.int64),
        popularity=np.array([row[4] for row in flat], dtype=np.float64),
        wanted=np.array([row[5] for row in flat], dtype=np.int64),
    )


def _candidates(
    had: Counter[int],
    touched: list[int],
    counts: Integers,
    own: int,
    popular: int,
    kind: Integers | None,
    only_new: bool,
) -> list[int]:
    """Items, each once."""
    found = [] if only_new else [item for item, _ in had.most_common(own)]
    found += touched
    ranked = np.argsort(-counts, kind="stable")
    if kind is not None:
        for each in dict.fromkeys(kind[touched].tolist()):
            found += ranked[kind[ranked] == each][:own].tolist()
    found += [item for item in ranked.tolist() if not (only_new and item in had)][:popular]
    return list(dict.fromkeys(found))


def random_scores(count: int) -> Doubles:
    return np.random.default_rng(0).random(count)
