"""A candidate source, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from feature_repo.candidates.item_codes import Codes, ItemCodes
from feature_repo.candidates.queries import Queries
from feature_repo.candidates.ragged import Ragged
from infra.models.arrays import Doubles, Floats, Integers


@dataclass(frozen=True)
class Candidates:
    """The best items of one source for each of q queries: highest score first, equal scores by code, each item once.

    lists:  where each query's candidates lie
    items:  (m,) codes
    scores: (m,) float32, finite
    """

    lists: Ragged
    items: Codes
    scores: Floats

    @staticmethod
    def best(rows: Integers, items: Codes, scores: Doubles, queries: int, k: int) -> Candidates:
        """The ``k`` best of each query from (m,) triples in any order, each (row, item) at most once.

        Scores are rounded to float32 before they are compared, so that sums in another order give the same list.
        """
        rounded = np.asarray(scores, np.float32) + np.float32(0)  # -0 becomes 0
        usable = np.isfinite(rounded)
        rows, items, rounded = rows[usable], items[usable], rounded[usable]
        if len(rounded) > 4 * k * queries:
            usable = _may_be_best(rows, rounded, queries, k)
            rows, items, rounded = rows[usable], items[usable], rounded[usable]
        order = np.lexsort((items, -rounded, rows))
        rows, items, rounded = rows[order], items[order], rounded[order]
        lists = Ragged.of_lengths(np.bincount(rows, minlength=queries))
        return Candidates(lists, items.astype(np.int32, copy=False), rounded).first(k)

    def first(self, k: int) -> Candidates:
        """The ``k`` best of these: what the source answers if it is asked for ``k``."""
        kept = self.lists.positions < k
        return Candidates(Ragged.of_lengths(np.minimum(self.lists.lengths, k)), self.items[kept], self.scores[kept])

    @staticmethod
    def concatenated(parts: Sequence[Candidates]) -> Candidates:
        """Of the queries of all parts, in order."""
        if len(parts) == 1:
            return parts[0]
        return Candidates(
            Ragged.of_lengths(np.concatenate([part.lists.lengths for part in parts] or [np.empty(0, np.int64)])),
            np.concatenate([part.items for part in parts] or [np.empty(0, np.int32)]),
            np.concatenate([part.scores for part in parts] or [np.empty(0, np.float32)]),
        )

    @staticmethod
    def none(queries: int) -> Candidates:
        return Candidates(Ragged.of_lengths(np.zeros(queries)), np.empty(0, np.int32), np.empty(0, np.float32))


def _may_be_best(rows: Integers, scores: Floats, queries: int, k: int) -> npt.NDArray[np.bool_]:
    """(m,) False for scores below the k-th highest of their row: these need no exact sorting. m is at least k."""
    bits = scores.view(np.uint32)
    descending = np.where(bits >> 31, bits, ~(bits | np.uint32(1 << 31)))  # the highest score is the smallest number
    if queries == 1:  # a request
        return np.asarray(descending <= np.partition(descending, k - 1)[k - 1])
    keys = np.sort((rows.astype(np.uint64) << np.uint64(32)) | descending)
    last = np.searchsorted(keys, np.arange(1, queries + 1, dtype=np.uint64) << np.uint64(32))
    first = np.concatenate([[0], last[:-1]])
    kth = keys[np.minimum(first + k - 1, np.maximum(last - 1, 0))].astype(np.uint32)
    found: npt.NDArray[np.bool_] = descending <= kth[rows]
    return found


class Source(Protocol):
    """What a fitted source can be asked. It reads only its own tables and the queries: no clock, no store, no log.

    The answer for a query does not depend on the other queries that are asked with it.
    """

    @property
    def name(self) -> str:
        """As in params.yaml."""
        ...

    def candidates(self, queries: Queries, k: int) -> Candidates:
        """At most ``k`` per query; none where the source knows nothing of the user and the session."""
        ...

    def save(self, folder: Path) -> None:
        """Write the tables into the empty ``folder``: numpy's arrays without pickles, parquet, JSON, ONNX."""
        ...


@runtime_checkable
class SimilarItems(Protocol):
    """A source that also knows which items are like one item."""

    def similar(self, items: Codes, k: int) -> Candidates:
        """At most ``k`` for each of (q,) known items, never the item itself."""
        ...


@dataclass(frozen=True)
class SourceKind:
    """How a source is read back. ``version`` is part of the model's contract: raise it when its answers change."""

    name: str
    version: int
    load: Callable[[Path, ItemCodes], Source]


SETTINGS_FILE = "settings.json"


def save_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    (folder / SETTINGS_FILE).write_text(json.dumps(settings, indent=2))


def load_settings(folder: Path) -> dict[str, Any]:
    """Raises OSError or ValueError for a missing or damaged file."""
    found: dict[str, Any] = json.loads((folder / SETTINGS_FILE).read_text())
    return found


def save_arrays(folder: Path, arrays: Mapping[str, Any]) -> None:
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values, allow_pickle=False)


def load_array(folder: Path, name: str) -> Any:
    """Raises OSError or ValueError for a missing or damaged file, and for a pickle."""
    return np.load(folder / f"{name}.npy", allow_pickle=False)
