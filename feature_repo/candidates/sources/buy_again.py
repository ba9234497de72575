"""What the user ordered before and is about to need again, by the interval between two orders of the item."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from feature_repo.candidates.item_codes import ItemCodes
from feature_repo.candidates.queries import Queries
from feature_repo.candidates.source import Candidates, SourceKind, load_array, save_arrays
from infra.models.arrays import Doubles, Floats

ARRAYS = ("repeats", "shape", "rate", "interval_days")


@dataclass(frozen=True)
class BuyAgain:
    """score = Q * (k + shape) / (d + rate), the modified Poisson-gamma model of Bhagat et al. 2018.

    Q is the share of the item's buyers who order it twice or more, k the user's orders of it, and the gamma
    distribution (shape, rate) the prior of its orders per day. With t days since the user's latest order, m days
    between two orders of the user (of all users after a single order), and s days from the first order to the latest:

        d = s + 2 |m - t|  for t < 2 m: right after an order the item is not needed, and about m days later it is
        d = s + t          later: the days since the first order

    repeats, shape, rate (days), interval_days: (n + 1,) float32 each by the item's code; the last one is for items
    that were unknown when it was fitted
    """

    repeats: Floats
    shape: Floats
    rate: Floats
    interval_days: Floats
    name: str = "buy_again"

    def candidates(self, queries: Queries, k: int) -> Candidates:
        history = queries.history
        of = np.minimum(history.items, len(self.repeats) - 1)
        counts = history.values["counts"].astype(np.float64)
        since_first, since_last = queries.age_days(history, "first_us"), queries.age_days(history, "last_us")
        days = observed_days(counts, since_first, since_last, self.interval_days[of].astype(np.float64))
        score = self.repeats[of] * (counts + self.shape[of]) / (days + self.rate[of])
        return Candidates.best(history.lists.rows, history.items, score, len(queries), k)

    def save(self, folder: Path) -> None:
        save_arrays(folder, {name: getattr(self, name) for name in ARRAYS})

    @staticmethod
    def load(folder: Path, _: ItemCodes) -> BuyAgain:
        return BuyAgain(*(load_array(folder, name) for name in ARRAYS))


def observed_days(counts: Doubles, since_first: Doubles, since_last: Doubles, interval: Doubles) -> Doubles:
    """(m,) d of :class:`BuyAgain`. ``interval``: days between two orders for users with a single one."""
    span = since_first - since_last
    several = (counts > 1) & (span > 0)
    mean = np.where(several, span / np.maximum(counts - 1, 1), interval)
    return np.where(since_last < 2 * mean, span + 2 * np.abs(mean - since_last), since_first)


KIND = SourceKind("buy_again", version=1, load=BuyAgain.load)
