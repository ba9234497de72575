"""What follows the items of this session, else the newest orders, by the exported sequence model (GRU4Rec)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from feature_repo.candidates.item_codes import UNKNOWN, Codes, ItemCodes
from feature_repo.candidates.queries import Events, Queries
from feature_repo.candidates.ragged import Ragged
from feature_repo.candidates.seeds import KIND_OF_ACTION
from feature_repo.candidates.source import (
    Candidates,
    SourceKind,
    load_array,
    load_settings,
    save_arrays,
    save_settings,
)
from infra.models.arrays import Integers

if TYPE_CHECKING:
    from infra.models.next_item_graph import Graph

GRAPH_FILE = "next_item.onnx"


@dataclass(frozen=True)
class NextItem:
    """score = the model's score. Only the newest ``max_length`` items of a sequence are read.

    onnx:   content of the graph's file
    codes:  (vocabulary,) the code of each item of the model, UNKNOWN where the log does not know it
    length: of ``ItemCodes``
    """

    onnx: bytes
    codes: Codes
    length: int
    max_length: int
    name: str = "next_item"

    @cached_property
    def graph(self) -> Graph:
        """Raises ValueError where the graph cannot be opened."""
        try:
            from infra.models.next_item_graph import open_graph
        except ImportError as error:
            raise ValueError("next_item needs onnxruntime: install the extra sequence-serving") from error
        try:
            return open_graph(self.onnx)
        except Exception as error:  # onnxruntime has an exception class for each status, without a common one
            raise ValueError(f"{GRAPH_FILE} cannot be opened: {error}") from error

    @cached_property
    def _index(self) -> Integers:
        """(length,) the vocabulary index of each code, UNKNOWN where the model does not know the item."""
        index = np.full(self.length, UNKNOWN, np.int64)
        known = np.flatnonzero(self.codes != UNKNOWN)
        index[self.codes[known]] = known
        return index

    def candidates(self, queries: Queries, k: int) -> Candidates:
        acted = KIND_OF_ACTION[queries.recent.values["actions"]] != UNKNOWN
        recent = self._sequences(queries.recent, acted)
        history = self._sequences(queries.history, np.ones(len(queries.history.items), np.bool_))
        sequences = [
            of_session if len(of_session) else orders for of_session, orders in zip(recent, history, strict=True)
        ]
        rows = np.array([row for row, sequence in enumerate(sequences) if len(sequence)], np.int64)
        return self._next(rows, [sequences[row] for row in rows], len(queries), k)

    def similar(self, items: Codes, k: int) -> Candidates:
        """What follows the item."""
        index = self._index[items]
        rows = np.flatnonzero(index != UNKNOWN)
        found = self._next(rows, [index[row : row + 1] for row in rows], len(items), k + 1)
        others = found.items != items[found.lists.rows]
        scores = found.scores[others].astype(np.float64)
        return Candidates.best(found.lists.rows[others], found.items[others], scores, len(items), k)

    def _sequences(self, events: Events, used: npt.NDArray[np.bool_]) -> list[Integers]:
        """Each list's newest ``max_length`` items that the model knows, oldest first, as vocabulary indices."""
        known = np.full(len(events.items), UNKNOWN, np.int64)
        inside = events.items < self.length
        known[inside] = self._index[events.items[inside]]
        chosen = np.flatnonzero(used & (known != UNKNOWN))
        lists = Ragged.of_lengths(np.bincount(events.lists.rows[chosen], minlength=len(events.lists)))
        items = known[chosen]
        return [items[lists.slice(row)][: self.max_length][::-1] for row in range(len(lists))]

    def _next(self, rows: Integers, sequences: list[Integers], queries: int, k: int) -> Candidates:
        """One run of the graph per sequence: in a batch the sums, and so the last bits of the scores, would depend on
        the other sequences, and one thread gains little from a batch."""
        from infra.models.next_item_graph import best_of

        wanted = min(k, len(self.codes))
        found = [best_of(self.graph, [sequence.tolist()], wanted) for sequence in sequences]
        if not found:
            return Candidates.none(queries)
        scores = np.concatenate([each[0] for each, _ in found])
        items = self.codes[np.concatenate([index[0] for _, index in found])]
        known = items != UNKNOWN
        return Candidates.best(np.repeat(rows, wanted)[known], items[known], scores[known], queries, k)

    def save(self, folder: Path) -> None:
        (folder / GRAPH_FILE).write_bytes(self.onnx)
        save_arrays(folder, {"codes": self.codes})
        save_settings(folder, {"max_length": self.max_length})

    @staticmethod
    def load(folder: Path, codes: ItemCodes) -> NextItem:
        found = NextItem(
            (folder / GRAPH_FILE).read_bytes(), load_array(folder, "codes"), len(codes), **load_settings(folder)
        )
        _ = found.graph  # a damaged file is found now
        return found


KIND = SourceKind("next_item", version=1, load=NextItem.load)
