"""Lists that were asked for -> their candidates with all features, as serving makes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from feature_repo.candidates.ragged import Ragged
from feature_repo.candidates.stage_two_features import recommend_features, recommend_matrix
from feature_repo.candidates.union import Sources
from feature_repo.derived.categories import Coder
from feature_repo.offline.slates import PointInTimeReader
from infra.models.arrays import Floats
from training.candidates.user_states import asked_queries, entity_tables

LISTS_AT_ONCE = 1000


@dataclass(frozen=True)
class CandidateLists:
    """Candidates of ``len(lists)`` lists in the sources' order.

    asked:   the lists: slate_id, user_id, session_id, shown_ts, …
    lists:   where the candidates of each lie
    item_id: (m,) str
    matrix:  (m, f) float32
    names:   (f,) of its columns (:func:`feature_repo.candidates.stage_two_features.recommend_features`)
    """

    asked: pd.DataFrame
    lists: Ragged
    item_id: list[str]
    matrix: Floats
    names: tuple[str, ...]


def candidate_lists(
    reader: PointInTimeReader, sources: Sources, asked: pd.DataFrame, coder: Coder
) -> Iterator[CandidateLists]:
    """In parts of LISTS_AT_ONCE lists. ``asked``: as :func:`asked_queries` takes it, with ids. ``coder``: of the
    categories in the matrix.
    """
    for start in range(0, len(asked), LISTS_AT_ONCE):
        yield _part(reader, sources, asked.iloc[start : start + LISTS_AT_ONCE].reset_index(drop=True), coder)


def _part(reader: PointInTimeReader, sources: Sources, asked: pd.DataFrame, coder: Coder) -> CandidateLists:
    known = entity_tables(reader, asked)
    queries = asked_queries(reader, sources.codes, asked, known)
    found = sources.candidates(queries)
    rows = found.lists.rows
    impressions = asked.iloc[rows].reset_index(drop=True)
    impressions["item_id"] = queries.decode(found.items)
    unknown = {fact.name: np.float32(np.nan) for fact in reader.declaration.facts}
    filled = np.flatnonzero(found.lists.lengths)
    known = {entity: table.take(filled) for entity, table in known.items()}
    slates = reader.read(impressions.assign(**unknown), known) if len(filled) else iter(())
    parts = [
        recommend_matrix(slate, reader.declaration, found.columns[found.lists.slice(row)], coder)
        for slate, row in zip(slates, filled.tolist(), strict=True)
    ]
    names = tuple(feature.name for feature in recommend_features(reader.declaration, sources))
    matrix = np.concatenate(parts) if parts else np.empty((0, len(names)), np.float32)
    return CandidateLists(asked, found.lists, impressions["item_id"].tolist(), matrix, names)
