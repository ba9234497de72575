"""What recall a list is expected to have if its user orders, learnt from the lists of earlier windows.

The strength of a list is the number of its items that the user is expected to order, over the number of items that the
user orders on an order day. Isotonic regression (Barlow et al. 1972) makes of it the recall that such lists had. Those
lists are of windows on which the ranker's trees were not fitted, by sources fitted before each window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scipy.optimize import isotonic_regression

from infra.models.arrays import Doubles, Floats, Integers
from infra.models.ranker import group_starts, score_groups
from training.buyers.buyer_features import FEATURE_NAMES
from training.stage_two.recommender import FittedRecommender

JUDGED = ("validation", "test")  # the splits of stage two without the trees' own rows
MIDNIGHT = "u:"  # begins the slate_id of a list that a user is given at a window's start (stage_two.asked_lists)
USUAL_DAYS = 2.0  # order days' worth of the mean over all users, so that one order day says little


@dataclass(frozen=True)
class RecallCurve:
    """Recall by strength, never falling: (n,) ``strength`` in rising order and (n,) ``recall``, linear in between."""

    strength: Doubles
    recall: Doubles

    @staticmethod
    def fit(strength: Doubles, recall: Doubles) -> RecallCurve:
        """Of (n,) lists, at least one. One point stands at the middle of each step."""
        order = np.argsort(strength, kind="stable")
        x, y = strength[order], np.asarray(isotonic_regression(recall[order]).x, np.float64)
        starts = np.flatnonzero(np.append(True, np.diff(y) > 0))
        sizes = np.diff(np.append(starts, len(y)))
        return RecallCurve(np.add.reduceat(x, starts) / sizes, y[starts])

    def __call__(self, strength: Doubles) -> Doubles:
        return np.asarray(np.interp(strength, self.strength, self.recall), np.float64)


@dataclass(frozen=True)
class JudgedLists:
    """n lists of users who ordered in a window.

    users:    (n,) ids
    start_us: (n,) the window's start, µs since the epoch
    mass:     (n,) sum of the probabilities of the k best candidates
    recall:   (n,) share of what was ordered that is among the k best
    """

    users: pa.Array
    start_us: Integers
    mass: Doubles
    recall: Doubles


def judged_lists(found: FittedRecommender, k: int, threads: int) -> JudgedLists:
    """The midnight lists of the recommender's judged windows, with what became of them. There may be none."""
    keys = ["slate_id", "user_id", "event_timestamp", "label", "relevant_total", "split"]
    ranker = found.recommender.ranker
    kept = (pc.field("split").isin(JUDGED)) & pc.starts_with(pc.field("slate_id"), MIDNIGHT)
    table = pq.read_table(found.written.path, columns=[*keys, *ranker.feature_names], filters=kept)
    if not len(table):
        return JudgedLists(pa.array([], pa.string()), np.empty(0, np.int64), np.empty(0), np.empty(0))
    slate = table["slate_id"].to_numpy()
    starts = np.flatnonzero(np.append(True, slate[1:] != slate[:-1]))
    sizes = np.diff(np.append(starts, len(slate)))
    matrix = np.stack([table[name].to_numpy() for name in ranker.feature_names], axis=1)
    scores = score_groups(ranker, matrix, sizes, threads)
    first = _first(scores, sizes, k)
    hits = np.add.reduceat(np.where(first, table["label"].to_numpy() > 0, False).astype(np.float64), starts)
    return JudgedLists(
        table["user_id"].take(starts).combine_chunks(),
        table["event_timestamp"].take(starts).cast(pa.int64()).to_numpy(),
        np.add.reduceat(np.where(first, found.recommender.scaling(scores), 0.0), starts),
        hits / table["relevant_total"].take(starts).to_numpy(),
    )


def _first(scores: Doubles, sizes: Integers, k: int) -> npt.NDArray[np.bool_]:
    """(n,) whether the row is among the k highest of its list, equal scores in the sources' order."""
    rows = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((-scores, rows))
    position = np.arange(len(rows)) - np.repeat(group_starts(sizes, len(rows)), sizes)
    found = np.zeros(len(rows), bool)
    found[order] = position < k
    return found


def strength(mass: Doubles, matrix: Floats, usual: float) -> Doubles:
    """(q,) of (q,) masses of the lists and (q, f) features of their users, see :func:`basket_size`."""
    return mass / basket_size(matrix, usual)


def usual_basket(matrix: Floats) -> float:
    """Items per order day over all users in 28 days. ``matrix``: of :mod:`training.buyers.buyer_features`."""
    items, days = _ordered(matrix)
    return float(items.sum() / max(days.sum(), 1.0))


def basket_size(matrix: Floats, usual: float) -> Doubles:
    """(q,) items per order day in 28 days, drawn to the ``usual`` number by USUAL_DAYS days; at least 1."""
    items, days = _ordered(matrix)
    return np.maximum((items + USUAL_DAYS * usual) / (days + USUAL_DAYS), 1.0)


def _ordered(matrix: Floats) -> tuple[Doubles, Doubles]:
    """(q,) items ordered, and (q,) order days, of the last 28 days."""
    items, days = (
        np.nan_to_num(matrix[:, FEATURE_NAMES.index(name)].astype(np.float64))
        for name in ("user_items_28d", "order_days_28d")
    )
    return items, days
