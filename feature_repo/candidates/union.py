"""The union of what the sources answer: the candidates that are ranked, with each source's score and rank."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from feature_repo.candidates.item_codes import Codes, ItemCodes
from feature_repo.candidates.queries import Queries
from feature_repo.candidates.ragged import Ragged
from feature_repo.candidates.source import Candidates, Source, SourceKind
from feature_repo.candidates.sources import (
    als,
    buy_again,
    covisitation,
    nearest_titles,
    next_item,
    own_history,
    similar_users,
    trending,
)
from feature_repo.definitions.view import Feature
from infra.models.arrays import Floats

KINDS: Mapping[str, SourceKind] = {
    module.KIND.name: module.KIND
    for module in (own_history, buy_again, covisitation, similar_users, als, next_item, nearest_titles, trending)
}
CARD = "sources.json"
SOURCE = "candidates"  # the source of these features in a model's contract


@dataclass(frozen=True)
class CandidateSet:
    """The candidates of q queries: first those with the best rank in any source, equal ranks in the sources' order.

    lists:   where each query's candidates lie
    items:   (m,) codes, each once per query
    columns: (m, 2 * sources) float32: score and rank (from 0) of each source, NaN where it does not list the item
    """

    lists: Ragged
    items: Codes
    columns: Floats


def union_of(found: Sequence[Candidates], queries: Queries, limit: int) -> CandidateSet:
    """``found``: what each source answers to ``queries``. At most ``limit`` candidates per query."""
    q, width = len(queries), 2 * len(found)
    known = max(len(queries.codes) + len(queries.unknown), 1)
    rows = np.concatenate([each.lists.rows for each in found] or [np.empty(0, np.int64)])
    items = np.concatenate([each.items for each in found] or [np.empty(0, np.int32)])
    ranks = np.concatenate([each.lists.positions for each in found] or [np.empty(0, np.int64)])
    source = np.repeat(np.arange(len(found)), [len(each.items) for each in found])
    scores = np.concatenate([each.scores for each in found] or [np.empty(0, np.float32)])
    pairs, of_pair = np.unique(rows * known + items, return_inverse=True)
    columns = np.full((len(pairs), width), np.nan, np.float32)
    columns[of_pair, 2 * source] = scores
    columns[of_pair, 2 * source + 1] = ranks
    best = np.full(len(pairs), np.iinfo(np.int64).max)
    np.minimum.at(best, of_pair, ranks * len(found) + source)  # by rank, then by source
    pair_rows = pairs // known
    order = np.lexsort((best, pair_rows))
    lists = Ragged.of_lengths(np.bincount(pair_rows, minlength=q))
    kept = order[lists.positions < limit]
    pair_items = (pairs - pair_rows * known).astype(np.int32)
    return CandidateSet(Ragged.of_lengths(np.minimum(lists.lengths, limit)), pair_items[kept], columns[kept])


@dataclass(frozen=True)
class Sources:
    """Fitted sources in order. ``sizes``: name -> candidates taken from it; ``limit``: of the union, per query.

    ``known_at_us``: nothing received at or after this timestamp is in them.
    """

    codes: ItemCodes
    sources: tuple[Source, ...]
    sizes: Mapping[str, int]
    limit: int
    known_at_us: int

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(source.name for source in self.sources)

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        return source_features(self.names)

    def candidates(self, queries: Queries) -> CandidateSet:
        found = [source.candidates(queries, self.sizes[source.name]) for source in self.sources]
        return union_of(found, queries, self.limit)

    def save(self, folder: Path) -> None:
        """Write all sources and their card into the empty ``folder``."""
        self.codes.save(folder)
        for source in self.sources:
            (folder / source.name).mkdir()
            source.save(folder / source.name)
        card = {
            "sources": {name: {"candidates": self.sizes[name], "version": KINDS[name].version} for name in self.names},
            "limit": self.limit,
            "known_at_us": self.known_at_us,
        }
        (folder / CARD).write_text(json.dumps(card, indent=2))

    @staticmethod
    def load(folder: Path) -> Sources:
        """Raises OSError, KeyError or ValueError for files that are missing, damaged or of another version."""
        card: dict[str, Any] = json.loads((folder / CARD).read_text())
        codes = ItemCodes.load(folder)
        listed: dict[str, dict[str, int]] = card["sources"]
        for name, each in listed.items():
            if name not in KINDS or each["version"] != KINDS[name].version:
                raise ValueError(f"the source {name!r} was written by another release: train again")
        return Sources(
            codes=codes,
            sources=tuple(KINDS[name].load(folder / name, codes) for name in listed),
            sizes={name: each["candidates"] for name, each in listed.items()},
            limit=card["limit"],
            known_at_us=card["known_at_us"],
        )


def source_features(names: Sequence[str]) -> tuple[Feature, ...]:
    """Score and rank of each source, in the order of :attr:`CandidateSet.columns`."""
    return tuple(
        feature
        for name in names
        for feature in (
            Feature(f"{name}_score", SOURCE, f"score by the source {name}", "score"),
            Feature(f"{name}_rank", SOURCE, f"rank by the source {name}, from 0", "rank"),
        )
    )
