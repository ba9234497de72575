"""The buyer model's inputs, explicit and ordered, and the matrix they make of users' point-in-time rows.

Days are UTC days, as the windows are. The order days of a user are those on which an item of the history was ordered
first or last: the view has no other dates. A day on which a user ordered only what was ordered before and since is not
among them, and so are days before the oldest of the HISTORY_LIMIT items.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from feature_repo.candidates.ragged import Ragged
from feature_repo.definitions.view import Feature, View
from feature_repo.definitions.views import SESSION_STATE, USER_HISTORY, USER_WINDOWS
from feature_repo.schema import DType
from infra.models.arrays import Doubles, Floats, Integers

DAY_US = 86_400_000_000
RECENT_DAYS = (7, 14, 28, 56)
HALF_LIVES = (7, 21, 60)  # days, of an order day's weight
WEEKDAY_HALF_LIFE = 60.0
USUAL_DAYS = 14.0  # order days' worth of the calendar's own share, so that few days say little of a weekday
EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0


def _stored(view: View) -> tuple[Feature, ...]:
    return tuple(Feature(c.name, view.name, c.description, c.unit) for c in view.columns if c.dtype is DType.FLOAT32)


def _derived(name: str, description: str, unit: str) -> Feature:
    return Feature(name, "derived", description, unit)


STORED: tuple[Feature, ...] = (*_stored(USER_WINDOWS), *_stored(SESSION_STATE))
DERIVED: tuple[Feature, ...] = (
    _derived("known_days", "since the first event", "days"),
    _derived("order_age_days", "since the latest order", "days"),
    _derived("history_items", f"distinct items ordered, at most {USER_HISTORY.name} holds", "count"),
    _derived("repeated_share", "share of these that were ordered more than once", "ratio"),
    _derived("new_items_28d", "items first ordered in the last 28 days", "count"),
    _derived("order_days", "days with an order", "count"),
    _derived("order_day_age", "days since the latest order day", "days"),
    _derived("gap_mean", "mean of the gaps between order days", "days"),
    _derived("gap_sd", "their standard deviation", "days"),
    _derived("gap_last", "the latest gap", "days"),
    _derived("gap_mean_5", "mean of the latest 5 gaps", "days"),
    _derived("due", "days since the latest order day over the mean gap", "ratio"),
    _derived("due_5", "the same over the mean of the latest 5 gaps", "ratio"),
    *(_derived(f"order_days_{days}d", f"order days in the last {days} days", "count") for days in RECENT_DAYS),
    *(_derived(f"order_days_decayed_{h}d", f"order days, with a half-life of {h} days", "count") for h in HALF_LIVES),
    _derived("weekday_share", "share of the order days on the weekdays of the window, smoothed", "ratio"),
    _derived("weekday", "of the first day of the window, Monday is 0", "day"),
    _derived("items_per_order_day", "items ordered in 28 days over the order days in them", "count"),
    _derived("session_age_s", "since the latest event of the live session", "seconds"),
)
FEATURES: tuple[Feature, ...] = (*STORED, *DERIVED)
FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)


def buyer_matrix(rows: pa.Table, at_us: Integers, days: int) -> Floats:
    """(q, len(FEATURES)) float32 of (q,) rows of :func:`training.buyers.user_rows.user_rows`, NaN where unknown.

    ``at_us``: (q,) µs since the epoch, the start of each row's window of ``days``.
    """
    columns = {feature.name: _doubles(rows, feature.name) for feature in STORED} | _derive(rows, at_us, days)
    return np.stack([columns[name] for name in FEATURE_NAMES], axis=1).astype(np.float32)


def _derive(rows: pa.Table, at_us: Integers, days: int) -> dict[str, Doubles]:
    history = _History.of(rows, at_us)
    ordered = OrderDays.of(history)
    gaps = ordered.gaps()
    recent = {f"order_days_{n}d": ordered.within(n) for n in RECENT_DAYS}
    age = ordered.age()
    known = np.isfinite(age)
    with np.errstate(divide="ignore", invalid="ignore"):  # NaN where there is no gap, or no order day
        return {
            "known_days": _age_days(rows, "user_first_seen_us", at_us),
            "order_age_days": _age_days(rows, "user_last_order_us", at_us),
            "history_items": history.sizes(),
            "repeated_share": history.repeated() / _positive(history.sizes()),
            "new_items_28d": history.first_within(28),
            "order_days": ordered.count(),
            "order_day_age": age,
            **gaps,
            "due": age / _positive(gaps["gap_mean"]),
            "due_5": age / _positive(gaps["gap_mean_5"]),
            **recent,
            **{f"order_days_decayed_{h}d": ordered.decayed(h) for h in HALF_LIVES},
            "weekday_share": np.where(known, ordered.weekday_share(days), np.nan),
            "weekday": _weekday(at_us // DAY_US).astype(np.float64),
            "items_per_order_day": _doubles(rows, "user_items_28d") / _positive(recent["order_days_28d"]),
            "session_age_s": _age_days(rows, "session_last_us", at_us) * 86_400.0,
        }


@dataclass(frozen=True)
class _History:
    """Lists of q users as flat arrays; ``lists`` says whose each value is. ``at_us``: (q,)"""

    lists: Ragged
    counts: Integers
    first_us: Integers
    last_us: Integers
    at_us: Integers

    @staticmethod
    def of(rows: pa.Table, at_us: Integers) -> _History:
        columns = {name: rows[f"history_{name}"].combine_chunks() for name in ("counts", "first_us", "last_us")}
        lengths = columns["counts"].value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
        flat = {n: c.flatten().to_numpy(zero_copy_only=False).astype(np.int64) for n, c in columns.items()}
        return _History(Ragged.of_lengths(lengths), **flat, at_us=at_us)

    def sizes(self) -> Doubles:
        return self.lists.lengths.astype(np.float64)

    def repeated(self) -> Doubles:
        return _count(self.lists.rows[self.counts > 1], len(self.lists))

    def first_within(self, days: int) -> Doubles:
        since = (self.at_us - days * DAY_US)[self.lists.rows]
        return _count(self.lists.rows[self.first_us >= since], len(self.lists))


@dataclass(frozen=True)
class OrderDays:
    """The order days of q users, latest first.

    lists: whose each day is
    ages:  (m,) whole days from the order day to the day of the timestamp: 0 is the day itself, 1 the day before
    today: (q,) days since the epoch of the timestamps
    """

    lists: Ragged
    ages: Integers
    today: Integers

    @staticmethod
    def of(history: _History) -> OrderDays:
        today = history.at_us // DAY_US
        rows = np.concatenate([history.lists.rows, history.lists.rows])
        ages = today[rows] - np.concatenate([history.first_us, history.last_us]) // DAY_US
        width = int(ages.max(initial=0)) + 1
        pairs = np.unique(rows * width + ages)
        lengths = np.bincount(pairs // width, minlength=len(history.lists))
        return OrderDays(Ragged.of_lengths(lengths), pairs % width, today)

    def count(self) -> Doubles:
        return self.lists.lengths.astype(np.float64)

    def age(self) -> Doubles:
        """(q,) of the latest order day, NaN without one."""
        found = np.full(len(self.lists), np.nan)
        some = self.lists.lengths > 0
        found[some] = self.ages[self.lists.starts[:-1][some]]
        return found

    def within(self, days: int) -> Doubles:
        return _count(self.lists.rows[self.ages <= days], len(self.lists))

    def decayed(self, half_life: float) -> Doubles:
        """(q,) sum of 2^(-age / half_life)"""
        weights = np.exp2(-self.ages / half_life)
        return np.bincount(self.lists.rows, weights, minlength=len(self.lists)).astype(np.float64)

    def gaps(self) -> dict[str, Doubles]:
        """Mean, standard deviation and latest of the gaps between consecutive order days, NaN without a gap."""
        inner = self.lists.positions > 0
        rows, gaps = self.lists.rows[inner], (self.ages[1:] - self.ages[:-1])[inner[1:]].astype(np.float64)
        position = self.lists.positions[inner] - 1
        mean = self._mean(rows, gaps)
        spread = self._mean(rows, (gaps - mean[rows]) ** 2)
        latest = position < 5
        return {
            "gap_mean": mean,
            "gap_sd": np.sqrt(spread),
            "gap_last": self._mean(rows[position == 0], gaps[position == 0]),
            "gap_mean_5": self._mean(rows[latest], gaps[latest]),
        }

    def weekday_share(self, days: int) -> Doubles:
        """(q,) decayed share of the order days on a weekday that the window of ``days`` from the timestamp covers.

        Smoothed towards ``days`` / 7, the share of a user without habits, by USUAL_DAYS days.
        """
        weights = np.exp2(-self.ages / WEEKDAY_HALF_LIFE)
        matching = weights * (-self.ages % 7 < days)  # the weekday of the first day of the window has -age % 7 == 0
        q = len(self.lists)
        inside = np.bincount(self.lists.rows, matching, minlength=q)
        every = np.bincount(self.lists.rows, weights, minlength=q)
        return np.asarray((inside + USUAL_DAYS * min(days, 7) / 7) / (every + USUAL_DAYS), np.float64)

    def _mean(self, rows: Integers, values: Doubles) -> Doubles:
        q = len(self.lists)
        counts = np.bincount(rows, minlength=q)
        return np.asarray(np.bincount(rows, values, minlength=q) / _positive(counts), np.float64)


def _weekday(day: Integers) -> Integers:
    """(n,) of days since the epoch; Monday is 0."""
    return np.asarray((day + EPOCH_WEEKDAY) % 7, np.int64)


def _count(rows: Integers, q: int) -> Doubles:
    return np.bincount(rows, minlength=q).astype(np.float64)


def _positive(values: npt.NDArray[np.generic]) -> Doubles:
    """float64 with NaN for 0, so that a quotient is NaN."""
    found = values.astype(np.float64)
    return np.where(found > 0, found, np.nan)


def _doubles(rows: pa.Table, name: str) -> Doubles:
    """(q,) with NaN for null."""
    return np.asarray(rows[name].cast(pa.float64()).to_numpy(), np.float64)


def _age_days(rows: pa.Table, name: str, at_us: Integers) -> Doubles:
    """(q,) days from the timestamps of a column, in µs, to ``at_us``."""
    return (at_us - _doubles(rows, name)) / DAY_US
