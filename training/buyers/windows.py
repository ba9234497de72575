"""Rolling windows: for each, all users known at its start, their features then, and whether they ordered in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from feast import FeatureStore

from infra.clock import epoch_us
from infra.models.arrays import Floats
from training.buyers.buyer_features import buyer_matrix
from training.buyers.orders import Orders
from training.buyers.user_rows import entity_rows, user_rows

WARM_UP = timedelta(days=28)  # of log before the first window, so that features of 28 days are what they say


ROWS_PER_JOIN = 30_000  # the join reads the whole views each time, and the lists of so many users fit into memory


class TooFewWindows(ValueError):
    """The log is too short for the windows that the buyer model needs."""


@dataclass(frozen=True)
class WindowPlan:
    """Starts of windows of ``days``, each list newest first. No window ends after the timestamp asked about.

    train:       the trees are fitted on them
    stopping:    later than train: choose the number of trees
    calibration: later than both: make probabilities of scores
    """

    days: int
    train: tuple[datetime, ...]
    stopping: tuple[datetime, ...]
    calibration: tuple[datetime, ...]

    @staticmethod
    def before(
        at: datetime, days: int, first_event: datetime, train: int, stopping: int, calibration: int
    ) -> WindowPlan:
        """At most ``train`` windows for training, one next to the other. Raises TooFewWindows."""
        length = timedelta(days=days)
        wanted = [at - length * (i + 1) for i in range(train + stopping + calibration)]
        starts = tuple(start for start in wanted if start >= first_event + WARM_UP)
        if len(starts) <= stopping + calibration:
            raise TooFewWindows(
                f"{len(starts)} windows of {days} days lie between {(first_event + WARM_UP).isoformat()} and "
                f"{at.isoformat()}; {stopping} to stop and {calibration} to calibrate leave none to train on"
            )
        held = stopping + calibration
        return WindowPlan(days, starts[held:], starts[calibration:held], starts[:calibration])


@dataclass(frozen=True)
class UserSet:
    """q users at one or several timestamps.

    ids:     (q,) strings
    starts:  (q,) the start of each row's window, µs since the epoch
    matrix:  (q, f) float32, the columns of FEATURES
    labels:  (q,) 1 where the user ordered in the window, else 0; empty where the window has not happened
    """

    ids: pa.Array
    starts: npt.NDArray[np.int64]
    matrix: Floats
    labels: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.ids)


def users_at(store: FeatureStore, orders: Orders, at: datetime, days: int) -> UserSet:
    """All users known at ``at``, without labels."""
    return user_set(store, entity_rows(orders.users(at), at, orders.live_sessions(at)), days)


def user_set(store: FeatureStore, asked: pa.Table, days: int) -> UserSet:
    """The users of (q,) entity rows, without labels."""
    asked = asked.combine_chunks()
    starts = asked["event_timestamp"].cast(pa.int64()).to_numpy()
    matrix = buyer_matrix(user_rows(store, asked), starts, days)
    return UserSet(asked["user_id"].combine_chunks(), starts, matrix, np.empty(0, np.int8))


class LabelledWindows:
    """The labelled users of windows of ``days``, each window read once.

    ``rows``: of each window at most about so many users, drawn with a seed made of its start; None for all.
    """

    def __init__(self, store: FeatureStore, orders: Orders, days: int, rows: int | None = None) -> None:
        self.days = days
        self._store, self._orders, self._rows = store, orders, rows
        self._read: dict[datetime, UserSet] = {}

    def of(self, starts: Sequence[datetime]) -> UserSet:
        """The users of these windows, oldest window first. Raises NotKnownYet for a window that ends too late."""
        missing = sorted(set(starts) - self._read.keys())
        users = {start: self._users(start) for start in missing}
        while missing:
            part = [missing.pop(0)]
            while missing and sum(len(users[start]) for start in part) < ROWS_PER_JOIN:
                part.append(missing.pop(0))
            self._join(part, users)
        return joined([self._read[start] for start in sorted(starts)])

    def _users(self, start: datetime) -> pa.Array:
        users = self._orders.users(start)
        if self._rows is None or len(users) <= self._rows:
            return users
        drawn = np.random.default_rng(epoch_us(start)).random(len(users)) < self._rows / len(users)
        return users.filter(pa.array(drawn))

    def _join(self, starts: Sequence[datetime], users: Mapping[datetime, pa.Array]) -> None:
        asked = [entity_rows(users[start], start, self._orders.live_sessions(start)) for start in starts]
        found = user_set(self._store, pa.concat_tables(asked), self.days)
        ends = np.cumsum([len(each) for each in asked])
        for start, end, table in zip(starts, ends.tolist(), asked, strict=True):
            rows = slice(end - len(table), end)
            buyers = self._orders.buyers(start, start + timedelta(days=self.days))
            labels = pc.is_in(users[start], value_set=buyers).to_numpy(zero_copy_only=False).astype(np.int8)
            self._read[start] = UserSet(users[start], found.starts[rows], found.matrix[rows], labels)


def joined(sets: Sequence[UserSet]) -> UserSet:
    """One after the other; at least one."""
    return UserSet(
        pa.concat_arrays([each.ids for each in sets]),
        np.concatenate([each.starts for each in sets]),
        np.concatenate([each.matrix for each in sets]),
        np.concatenate([each.labels for each in sets]),
    )
