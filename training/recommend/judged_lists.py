"""Lists of earlier windows, and the recall that they had.

They are the midnight lists of stage two's validation and test windows: the trees were not fitted on them, and their
sources were fitted before each window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from infra.models.arrays import Doubles, Integers
from infra.models.ranker import group_starts, score_groups
from training.stage_two.recommender import FittedRecommender
from training.training_set.levels import feature_matrix_of

SPLITS = ("validation", "test")
MIDNIGHT = "u:"  # begins the slate_id of a list that a user is given at a window's start (stage_two.asked_lists)


@dataclass(frozen=True)
class ListMass:
    """Of q lists, (q,) each: sums of the probabilities that the user, when ordering, orders the item.

    first: of the k best items
    every: of all candidates
    """

    first: Doubles
    every: Doubles

    @staticmethod
    def of(probability: Doubles, rows: Integers, positions: Integers, q: int, k: int) -> ListMass:
        """``rows``, ``positions``: (m,) the list of each candidate, and its position there, the best at 0."""
        in_list = positions < k
        first = np.bincount(rows[in_list], probability[in_list], minlength=q)
        return ListMass(first.astype(np.float64), np.bincount(rows, probability, minlength=q).astype(np.float64))


@dataclass(frozen=True)
class JudgedLists:
    """n lists of users who ordered in a window.

    users:    (n,) ids
    start_us: (n,) the window's start, µs since the epoch
    mass:     of the lists
    recall:   (n,) share of what was ordered that is among the k best
    """

    users: pa.Array
    start_us: Integers
    mass: ListMass
    recall: Doubles

    def __len__(self) -> int:
        return len(self.recall)


def judged_lists(found: FittedRecommender, k: int, threads: int) -> JudgedLists:
    """There may be none."""
    ranker = found.recommender.ranker
    keys = ["slate_id", "user_id", "event_timestamp", "label", "relevant_total"]
    kept = pc.field("split").isin(SPLITS) & pc.starts_with(pc.field("slate_id"), MIDNIGHT)
    table = pq.read_table(found.written.path, columns=[*keys, *ranker.feature_names], filters=kept)
    if not len(table):
        nothing = np.empty(0)
        return JudgedLists(pa.array([], pa.string()), np.empty(0, np.int64), ListMass(nothing, nothing), nothing)
    slate = table["slate_id"].to_numpy()
    starts = np.flatnonzero(np.append(True, slate[1:] != slate[:-1]))
    sizes = np.diff(np.append(starts, len(slate)))
    matrix = feature_matrix_of(table, ranker.feature_names, ranker.vocabulary)
    scores = score_groups(ranker, matrix, sizes, threads)
    rows = np.repeat(np.arange(len(sizes)), sizes)
    positions = _positions(scores, rows, sizes)
    hits = np.bincount(rows, (positions < k) & (table["label"].to_numpy() > 0), minlength=len(sizes))
    return JudgedLists(
        table["user_id"].take(starts).combine_chunks(),
        table["event_timestamp"].take(starts).cast(pa.int64()).to_numpy(),
        ListMass.of(found.recommender.scaling(scores), rows, positions, len(sizes), k),
        hits / table["relevant_total"].take(starts).to_numpy(),
    )


def _positions(scores: Doubles, rows: Integers, sizes: npt.NDArray[np.int64]) -> Integers:
    """(n,) in the list by score, the highest at 0, equal scores in the sources' order."""
    order = np.lexsort((-scores, rows))
    found = np.empty(len(rows), np.int64)
    found[order] = np.arange(len(rows)) - np.repeat(group_starts(sizes, len(rows)), sizes)
    return found
