"""The truth behind the files of a shape: the utility of any item for any user at any time.

    utility = quality of the item
            + weights of the one who looks, times the item's loadings
            + drift of the item on that day
            + sensitivity of the one who looks, times the item's price effect on that day
            + strength of each pair (user or session, item), which may swing with a period
            + log of the chance that a position is looked at, where a position is given
            - 50 after the user has taken an item that nobody takes twice

The one who looks is the session where the truth knows it, else the user, else whoever came at that very time, else the
mean of all users. Generators choose by these utilities plus noise, so a ranker that knows them is the best there is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.shapes.ids import SESSION, TIME, USER, Texts, named, texts
from tests.shapes.slates import Slates

Integers = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

DAY_US, SECOND_US = 86_400_000_000, 1_000_000
NEVER_AGAIN = 50.0


class NotOfThisShape(ValueError):
    """Items that the truth does not know."""


@dataclass(frozen=True)
class Pairs:
    """(p,) each. The strength of a pair is ``strength`` * (1 + ``swing`` * cos(2 pi (t - phase) / period)).

    ``who`` and ``item`` are indices; a pair occurs once. ``period_us`` is positive.
    """

    who: Integers
    item: Integers
    strength: Doubles
    swing: Doubles
    period_us: Doubles
    phase_us: Doubles


def steady_pairs(who: Any, item: Any, strength: Any) -> Pairs:
    """Pairs that do not swing."""
    many = len(who)
    return Pairs(
        np.asarray(who, dtype=np.int64),
        np.asarray(item, dtype=np.int64),
        np.asarray(strength, dtype=np.float64),
        np.zeros(many),
        np.ones(many),
        np.zeros(many),
    )


@dataclass(frozen=True)
class Taken:
    """(n,) each: who took which item when, where nobody takes an item twice. Indices; an item once for each who."""

    who: Integers
    item: Integers
    us: Integers


@dataclass(frozen=True)
class Truth:
    """What a generator knows. w: users and sessions, i: items, k: tastes, d: days from ``start_us`` on.

    who:         (w,) ids, after ``u:`` for a user, ``s:`` for a session, ``t:`` for a time in µs
    own_us:      (w,) the true time of a session whose time the files do not tell; -1 for the others
    items:       (i,) ids
    quality:     (i,)
    weights:     (w, k)
    loadings:    (i, k)
    drift:       (d, i); the last day holds for all later ones, the first for all earlier ones
    sensitivity: (w,)
    price:       (d, i)
    examination: (p,) log of the chance that a position is looked at, from 0; the last one holds for all further ones
    slates:      name -> the lists of the last 15 % that the generator judges its oracle by
    """

    who: Texts
    own_us: Integers
    items: Texts
    quality: Doubles
    weights: Doubles
    loadings: Doubles
    start_us: int
    drift: Doubles
    sensitivity: Doubles
    price: Doubles
    examination: Doubles
    pairs: Pairs
    taken: Taken
    slates: dict[str, Slates] = field(default_factory=dict)

    def utility(
        self,
        user_ids: Iterable[Any],
        item_ids: Iterable[Any],
        timestamps: npt.ArrayLike,
        session_ids: Iterable[Any] | None = None,
        positions: npt.ArrayLike | None = None,
    ) -> Doubles:
        """(n,) of rows with the ids of the files. ``timestamps``: int64 µs since the epoch, or datetime64.

        ``session_ids`` where the rows have them; an unknown or missing user or session is allowed. ``positions``: from
        0, negative where unknown; with them the value ranks by what was clicked, not by what was wanted.
        Raises NotOfThisShape for an unknown item.
        """
        us = np.asarray(timestamps)
        us = us.astype("datetime64[us]").astype(np.int64) if us.dtype.kind == "M" else us.astype(np.int64)
        item = self._item_rows(item_ids)
        user = self._who_rows(named(USER, user_ids))
        session = self._who_rows(named(SESSION, session_ids)) if session_ids is not None else np.full(len(item), -1)
        timed = self._who_rows(named(TIME, us.tolist()))
        looks = np.where(session >= 0, session, np.where(user >= 0, user, timed))
        us = np.where((looks >= 0) & (self.own_us[looks] >= 0), self.own_us[looks], us)
        day = self._day(us)
        value = self.quality[item] + (self._known_weights[looks] * self.loadings[item]).sum(axis=1)
        value += self.drift[day, item] + self._known_sensitivity[looks] * self.price[day, item]
        value += self._paired(user, item, us)
        value -= np.where(self._took(user, item, us), NEVER_AGAIN, 0.0)
        value += self._paired(np.where(session >= 0, session, np.where(user >= 0, -1, timed)), item, us)
        if positions is not None:
            place = np.asarray(positions).astype(np.int64)
            value += np.where(place >= 0, self.examination[place.clip(0, len(self.examination) - 1)], 0.0)
        return np.asarray(value, dtype=np.float64)

    def knows_session(self, session_ids: Iterable[Any]) -> npt.NDArray[np.bool_]:
        """(n,) whether the truth has the session."""
        return self._who_rows(named(SESSION, session_ids)) >= 0

    def knows(
        self, user_ids: Iterable[Any], timestamps: npt.ArrayLike, session_ids: Iterable[Any]
    ) -> npt.NDArray[np.bool_]:
        """(n,) whether the truth has the user, the session or the time in µs, so that it is not the mean that looks."""
        user, time = named(USER, user_ids), named(TIME, np.asarray(timestamps).tolist())
        return np.asarray((self._who_rows(user) >= 0) | (self._who_rows(time) >= 0) | self.knows_session(session_ids))

    def of_all_items(self, who: int, us: int, user: int = -1) -> Doubles:
        """(i,) utilities for row ``who`` of ``self.who``; ``user``: the row of the user whose pairs count too."""
        us = int(self.own_us[who]) if who >= 0 and self.own_us[who] >= 0 else us
        day = int(self._day(np.array([us]))[0])
        value: Doubles = self.quality + self.loadings @ self._known_weights[who] + self.drift[day]
        value = value + self._known_sensitivity[who] * self.price[day]
        for row in {who, user} - {-1}:
            part = slice(*np.searchsorted(self._pairs.who, [row, row + 1]).tolist())
            value[self._pairs.item[part]] += _swung(self._pairs, part, np.float64(us))
        return value

    def save(self, file: Path) -> None:
        """Write an ``.npz`` without pickled objects."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        arrays |= {f"pairs.{name}": value for name, value in vars(self.pairs).items()}
        arrays |= {f"taken.{name}": value for name, value in vars(self.taken).items()}
        for slates, found in self.slates.items():
            arrays |= {f"slates.{slates}.{name}": value for name, value in found.columns().items()}
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(file, start_us=np.int64(self.start_us), **arrays)

    @cached_property
    def _pairs(self) -> Pairs:
        """Sorted by who and item."""
        order = np.lexsort((self.pairs.item, self.pairs.who))
        return Pairs(*(getattr(self.pairs, name)[order] for name in Pairs.__dataclass_fields__))

    @cached_property
    def _pair_keys(self) -> Integers:
        return self._pairs.who * len(self.items) + self._pairs.item

    def _paired(self, who: Integers, item: Integers, us: Integers) -> Doubles:
        if not len(self._pair_keys):
            return np.zeros(len(item))
        key = who * len(self.items) + item
        place = np.searchsorted(self._pair_keys, key).clip(max=len(self._pair_keys) - 1)
        return np.where((who >= 0) & (self._pair_keys[place] == key), _swung(self._pairs, place, us), 0.0)

    def _took(self, who: Integers, item: Integers, us: Integers) -> npt.NDArray[np.bool_]:
        """(n,) whether the user took the item before."""
        keys = self.taken.who * len(self.items) + self.taken.item
        if not len(keys):
            return np.zeros(len(item), dtype=np.bool_)
        order = np.argsort(keys)
        key = who * len(self.items) + item
        place = order[np.searchsorted(keys[order], key).clip(max=len(keys) - 1)]
        return np.asarray((who >= 0) & (keys[place] == key) & (self.taken.us[place] < us))

    @cached_property
    def _known_weights(self) -> Doubles:
        """(w + 1, k): the last row, index -1, is the mean of the users."""
        return np.vstack([self.weights, self.weights[self._users].mean(axis=0)])

    @cached_property
    def _known_sensitivity(self) -> Doubles:
        return np.append(self.sensitivity, self.sensitivity[self._users].mean())

    @cached_property
    def _users(self) -> npt.NDArray[np.bool_]:
        users = np.char.startswith(self.who, USER)
        return users if users.any() else np.ones(len(self.who), dtype=np.bool_)

    @cached_property
    def _who_index(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.who.tolist())}

    @cached_property
    def _item_index(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.items.tolist())}

    def _who_rows(self, names: Texts) -> Integers:
        return np.array([self._who_index.get(name, -1) for name in names.tolist()], dtype=np.int64)

    def _item_rows(self, item_ids: Iterable[Any]) -> Integers:
        names = texts(item_ids)
        rows = np.array([self._item_index.get(name, -1) for name in names], dtype=np.int64)
        unknown = np.flatnonzero(rows < 0)
        if len(unknown):
            raise NotOfThisShape(f"{len(unknown)} of {len(rows)} items are unknown, the first is {names[unknown[0]]!r}")
        return rows

    def _day(self, us: Integers) -> Integers:
        return np.asarray((us - self.start_us) // DAY_US, dtype=np.int64).clip(0, len(self.drift) - 1)


_ARRAYS = (
    *("who", "own_us", "items", "quality", "weights", "loadings", "drift", "sensitivity", "price", "examination"),
)


def _swung(pairs: Pairs, rows: Any, us: Any) -> Doubles:
    turn = 2 * np.pi * (us - pairs.phase_us[rows]) / pairs.period_us[rows]
    return np.asarray(pairs.strength[rows] * (1 + pairs.swing[rows] * np.cos(turn)), dtype=np.float64)


def load_truth(file: Path) -> Truth:
    """What :meth:`Truth.save` wrote."""
    with np.load(file, allow_pickle=False) as arrays:
        names = {name.split(".")[1] for name in arrays.files if name.startswith("slates.")}
        return Truth(
            start_us=int(arrays["start_us"]),
            pairs=Pairs(**{name: arrays[f"pairs.{name}"] for name in Pairs.__dataclass_fields__}),
            taken=Taken(**{name: arrays[f"taken.{name}"] for name in Taken.__dataclass_fields__}),
            slates={
                each: Slates(**{name: arrays[f"slates.{each}.{name}"] for name in Slates.__dataclass_fields__})
                for each in sorted(names)
            },
            **{name: arrays[name] for name in _ARRAYS},
        )


def plain_truth(
    *, who: Texts, items: Texts, quality: Doubles, weights: Doubles, loadings: Doubles, start_us: int, **more: Any
) -> Truth:
    """A truth without drift, prices, pairs, position bias and items taken once, but for those given in ``more``."""
    plain: dict[str, Any] = {
        "own_us": np.full(len(who), -1, dtype=np.int64),
        "drift": np.zeros((1, len(items))),
        "sensitivity": np.zeros(len(who)),
        "price": np.zeros((len(more.get("drift", [0])), len(items))),
        "examination": np.zeros(1),
        "pairs": steady_pairs([], [], []),
        "taken": Taken(*np.zeros((3, 0), dtype=np.int64)),
    }
    return Truth(
        who=who, items=items, quality=quality, weights=weights, loadings=loadings, start_us=start_us, **(plain | more)
    )
