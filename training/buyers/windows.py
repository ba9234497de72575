"""Rolling windows: for each, all users known at its start, their features then, and whether they ordered in it."""

from __future__ import annotations

from collections.abc import Sequence
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
    return _user_set(store, entity_rows(orders.users(at), at, orders.live_sessions(at)), days)


def labelled(
    store: FeatureStore, orders: Orders, starts: Sequence[datetime], days: int, rows: int | None = None
) -> UserSet:
    """The users of all windows, oldest window first. Raises NotKnownYet.

    ``rows``: of each window at most about so many users, drawn with a seed made of its start.
    """
    sets, asked, labels = [], [], []
    for start in sorted(starts):
        users = orders.users(start)
        if rows is not None and len(users) > rows:
            users = users.filter(pa.array(_drawn(len(users), epoch_us(start), rows / len(users))))
        buyers = orders.buyers(start, start + timedelta(days=days))
        labels.append(pc.is_in(users, value_set=buyers).to_numpy(zero_copy_only=False).astype(np.int8))
        asked.append(entity_rows(users, start, orders.live_sessions(start)))
        if sum(map(len, asked)) >= ROWS_PER_JOIN:
            sets.append(_user_set(store, pa.concat_tables(asked), days))
            asked = []
    if asked:
        sets.append(_user_set(store, pa.concat_tables(asked), days))
    return UserSet(
        pa.concat_arrays([each.ids for each in sets]),
        np.concatenate([each.starts for each in sets]),
        np.concatenate([each.matrix for each in sets]),
        np.concatenate(labels),
    )


def _user_set(store: FeatureStore, asked: pa.Table, days: int) -> UserSet:
    asked = asked.combine_chunks()
    starts = asked["event_timestamp"].cast(pa.int64()).to_numpy()
    matrix = buyer_matrix(user_rows(store, asked), starts, days)
    return UserSet(asked["user_id"].combine_chunks(), starts, matrix, np.empty(0, np.int8))


def _drawn(users: int, seed: int, share: float) -> npt.NDArray[np.bool_]:
    return np.random.default_rng(seed).random(users) < share
