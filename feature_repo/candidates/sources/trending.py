"""What is ordered most just now: overall, in the user's categories and shops, and where the user is, say a store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from feature_repo.candidates.item_codes import ItemCodes
from feature_repo.candidates.queries import Queries
from feature_repo.candidates.ragged import Ragged
from feature_repo.candidates.seeds import Seeds, SeedWeights
from feature_repo.candidates.source import (
    Candidates,
    SourceKind,
    load_array,
    load_settings,
    save_arrays,
    save_settings,
)
from feature_repo.candidates.sparse_table import SparseTable
from infra.models.arrays import Doubles, Integers

OVERALL = 0  # the row of the overall list
NO_LIST = -1
CONTEXTS_FILE = "contexts.json"
GROUPS = ("category", "shop")
WEIGHTS = ("overall", *GROUPS, "context")


@dataclass(frozen=True)
class Trending:
    """score = sum over the query's lists of the list's weight times the item's share of what the list counts.

    lists:    one row per list: OVERALL, then of categories, shops and context values
    groups:   ``category`` and ``shop`` -> (n,) the list of each item's, NO_LIST where it has none
    contexts: context column -> value -> list
    weights:  each of WEIGHTS -> weight. That of the categories is shared among those
        of the user's seeds by the seeds' weights, and so is that of the shops.

    Every query has the overall list, so that every query has candidates.

    Raises ValueError for other weights.
    """

    lists: SparseTable
    groups: Mapping[str, Integers]
    contexts: Mapping[str, Mapping[str, int]]
    weights: Mapping[str, float]
    seeds: SeedWeights
    name: str = "trending"

    def __post_init__(self) -> None:
        if self.weights.keys() != set(WEIGHTS):
            raise ValueError(f"weights are those of {', '.join(self.weights)}, not of {', '.join(WEIGHTS)}")

    def candidates(self, queries: Queries, k: int) -> Candidates:
        q = len(queries)
        seeds = self.seeds.of(queries)
        rows, lists = [np.arange(q)], [np.full(q, OVERALL)]
        weights: list[Doubles] = [np.full(q, self.weights["overall"])]
        for group in GROUPS:
            of_seed = self.groups[group][seeds.items]
            has = of_seed != NO_LIST
            rows.append(seeds.lists.rows[has])
            lists.append(of_seed[has])
            weights.append(self.weights[group] * _shares(seeds, q)[has])
        for column, of_value in self.contexts.items():
            if column in queries.context:
                found = np.array([of_value.get(value, NO_LIST) for value in queries.context[column]], np.int64)
                rows.append(np.flatnonzero(found != NO_LIST))
                lists.append(found[found != NO_LIST])
                weights.append(np.full(len(rows[-1]), self.weights["context"]))
        order = np.argsort(np.concatenate(rows), kind="stable")
        of = Ragged.of_lengths(np.bincount(np.concatenate(rows), minlength=q))
        return self.lists.best(of, np.concatenate(lists)[order], np.concatenate(weights)[order], k)

    def save(self, folder: Path) -> None:
        self.lists.save(folder, "lists")
        save_arrays(folder, self.groups)
        (folder / CONTEXTS_FILE).write_text(json.dumps(self.contexts))
        save_settings(folder, {"weights": dict(self.weights), "seeds": asdict(self.seeds)})

    @staticmethod
    def load(folder: Path, codes: ItemCodes) -> Trending:
        settings = load_settings(folder)
        return Trending(
            SparseTable.load(folder, "lists", len(codes)),
            {group: load_array(folder, group) for group in GROUPS},
            json.loads((folder / CONTEXTS_FILE).read_text()),
            settings["weights"],
            SeedWeights(**settings["seeds"]),
        )


def _shares(seeds: Seeds, queries: int) -> Doubles:
    """(m,) each seed's share of the weights of its query."""
    sums = np.bincount(seeds.lists.rows, seeds.weights, minlength=queries)
    return np.asarray(seeds.weights / sums[seeds.lists.rows], np.float64)


KIND = SourceKind("trending", version=1, load=Trending.load)
