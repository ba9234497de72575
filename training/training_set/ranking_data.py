"""The training set as arrays, one set per split."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from infra.models.arrays import Doubles, Floats
from infra.models.ranker import Ranker
from infra.models.vocabulary import NO_TEXTS, Vocabulary
from training.training_set.click_through import click_through
from training.training_set.levels import Levels, feature_matrix_of

SPLITS = ("train", "validation", "test")


class BadTrainingSet(ValueError):
    """The training set lacks a column, a split, or a positive label."""


@dataclass(frozen=True)
class RankingData:
    """Whole slates: (n, f) matrix, (n,) labels, (g,) sizes and totals.

    ``shown_at``: (n,) positions on the screen, from 0, if the labels are clicks on a list that was shown.
    ``clusters``: (g,) a number for the user of each slate, or for its session where no user is known. Slates of one
    cluster are not independent of each other. ``click_through``: (n,) see :mod:`training.training_set.click_through`.
    ``vocabulary``: of the categories among the features, whose codes the matrix holds.
    """

    matrix: Floats
    labels: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    relevant_total: npt.NDArray[np.int64]
    feature_names: tuple[str, ...]
    shown_at: npt.NDArray[np.int64] | None = None
    clusters: npt.NDArray[np.int64] | None = None
    click_through: Doubles | None = None
    vocabulary: Vocabulary = NO_TEXTS

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        return np.asarray(np.cumsum(self.sizes) - self.sizes, dtype=np.int64)

    @property
    def categories(self) -> list[int]:
        """The columns that hold codes."""
        return [j for j, name in enumerate(self.feature_names) if name in self.vocabulary.texts]

    def column(self, name: str) -> Floats:
        return self.matrix[:, self.feature_names.index(name)]

    def judged(self) -> RankingData:
        """The slates that a ranking can be judged by: those of at least two candidates."""
        return self.only(self.sizes > 1)

    def only(self, kept: npt.NDArray[np.bool_]) -> RankingData:
        """``kept``: (g,) of the slates."""
        rows = np.repeat(kept, self.sizes)
        return replace(
            self,
            matrix=self.matrix if kept.all() else self.matrix[rows],
            labels=self.labels[rows],
            sizes=self.sizes[kept],
            relevant_total=self.relevant_total[kept],
            shown_at=None if self.shown_at is None else self.shown_at[rows],
            clusters=None if self.clusters is None else self.clusters[kept],
            click_through=None if self.click_through is None else self.click_through[rows],
        )

    def sample(self, slates: int, seed: int) -> RankingData:
        """The first in a seeded order of all slates, as they lie here."""
        rank = np.random.default_rng(seed).permutation(len(self.sizes))
        return self.only(rank < slates)

    def shuffled(self, seed: int) -> RankingData:
        """Shuffle the rows inside each slate, because LightGBM breaks ties by row order, the order of the request."""
        order = self._order_inside(seed)
        shown_at = None if self.shown_at is None else self.shown_at[order]
        clicks = None if self.click_through is None else self.click_through[order]
        return replace(
            self, matrix=self.matrix[order], labels=self.labels[order], shown_at=shown_at, click_through=clicks
        )

    def with_shuffled_labels(self, seed: int) -> RankingData:
        """Shuffle only the labels inside each slate, so that the features do not predict them."""
        return replace(self, labels=self.labels[self._order_inside(seed)])

    def _order_inside(self, seed: int) -> npt.NDArray[np.int64]:
        group = np.repeat(np.arange(len(self.sizes)), self.sizes)
        return np.lexsort((np.random.default_rng(seed).random(len(group)), group))


def load_splits(
    path: Path,
    feature_names: tuple[str, ...],
    splits: tuple[str, ...] = SPLITS,
    levels: Levels | Vocabulary | None = None,
) -> dict[str, RankingData]:
    """Read these splits, and no row of another. Raises BadTrainingSet.

    ``levels``: which texts of the categories are kept, learned from the train split, which must be among the splits;
    or the vocabulary of a model.
    """
    try:
        table = pq.read_table(path, filters=None if splits == SPLITS else [("split", "in", splits)])
    except FileNotFoundError as error:
        raise BadTrainingSet(f"{path} is missing: run `python -m training.training_set`") from error
    missing = [name for name in feature_names if name not in table.column_names]
    if missing:
        raise BadTrainingSet(f"{path}: feature columns {missing} are missing; build the training set again")
    if not table.num_rows:
        raise BadTrainingSet(f"{path} holds no slate of {', '.join(splits)}")
    slate = np.array(table["slate_id"].to_pylist(), dtype=object)
    starts = np.flatnonzero(np.append(True, slate[1:] != slate[:-1]))
    split = np.array(table["split"].to_pylist(), dtype=object)
    columns: dict[str, Any] = {n: table[n].to_numpy().astype(np.int64) for n in ("label", "relevant_total")}
    sizes = np.diff(np.append(starts, len(slate)))
    numbers = np.repeat(np.arange(len(sizes)), sizes)
    train = split == "train"
    if not isinstance(levels, Vocabulary):
        levels = (levels or Levels()).learned(table, feature_names, train, numbers)
    vocabulary = levels.only(feature_names)
    matrix = feature_matrix_of(table, feature_names, vocabulary)
    clusters = _clusters(table, starts)
    clicks = None
    if "train" in splits:  # the mean that it is smoothed by is theirs
        clicks = click_through(
            table["item_id"].to_numpy(zero_copy_only=False).astype(str),
            table["event_timestamp"].cast(pa.int64()).to_numpy(),
            columns["label"],
            split == "train",
        )
    shown_at = table["shown_position"].to_numpy().astype(np.int64) if "shown_position" in table.column_names else None
    found = {}
    for name in splits:
        rows, groups = split == name, split[starts] == name
        if not (columns["label"][rows & np.repeat(sizes > 1, sizes)] > 0).any():
            raise BadTrainingSet(
                f"{path}: the {name} split has no slate of two or more candidates with a positive label; it has "
                f"{groups.sum()} slates"
            )
        found[name] = RankingData(
            matrix[rows],
            columns["label"][rows],
            sizes[groups],
            columns["relevant_total"][starts][groups],
            feature_names,
            None if shown_at is None else shown_at[rows],
            clusters[groups],
            None if clicks is None else clicks[rows],
            vocabulary,
        )
    return found


def coded_for(ranker: Ranker, data: RankingData, path: Path, split: str) -> RankingData:
    """``data``, all rows of a split of the file, as a ranker with another vocabulary reads it."""
    if ranker.vocabulary.texts == data.vocabulary.texts:
        return data
    table = pq.read_table(path, columns=list(data.feature_names), filters=[("split", "==", split)])
    matrix = feature_matrix_of(table, data.feature_names, ranker.vocabulary)
    return replace(data, matrix=matrix, vocabulary=ranker.vocabulary)


def _clusters(table: pa.Table, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(g,) a number for the user of each slate; where it is unknown for its session, else for the slate itself."""
    keys = [table[name].take(starts).to_pylist() for name in ("user_id", "session_id", "slate_id")]
    owners = [next((rank, key) for rank, key in enumerate(found) if key) for found in zip(*keys, strict=True)]
    numbers = {owner: number for number, owner in enumerate(dict.fromkeys(owners))}
    return np.array([numbers[owner] for owner in owners], dtype=np.int64)
