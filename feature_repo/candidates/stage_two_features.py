"""The inputs of the model that ranks candidates: the ranker's own, then what the sources say of each candidate.

``input_position`` is the candidate's position in the sources' order. The facts that a caller of ``/score`` sends are
NaN, since nobody sends them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from feature_repo.candidates.queries import queries_of_rows
from feature_repo.candidates.union import KINDS, Sources
from feature_repo.contract import current_contract
from feature_repo.definitions.view import Feature
from feature_repo.derived.categories import Coder
from feature_repo.model_features import feature_matrix, model_features
from feature_repo.schema import Declaration
from feature_repo.slate import Floats, Slate
from infra.models.model_contract import ContractFeature, ModelContract

UNION_VERSION = 1  # of the candidates' order, and of what the sources are asked with; part of the model's contract


def recommend_features(declaration: Declaration, sources: Sources) -> tuple[Feature, ...]:
    """The columns of :func:`recommend_matrix`, in order."""
    return (*model_features(declaration), *sources.features)


def recommend_matrix(slate: Slate, declaration: Declaration, columns: Floats, coder: Coder) -> Floats:
    """(n, f + 2 * sources) float32, column by column in memory, as :func:`feature_matrix`, which takes ``coder``.

    slate:   the candidates in the order of :class:`feature_repo.candidates.union.CandidateSet`, of one query
    columns: (n, 2 * sources) of that set
    """
    if len(columns) != len(slate):
        raise ValueError(f"{len(columns)} rows of sources for {len(slate)} candidates")
    own = feature_matrix(slate, declaration, coder).T  # (f, n)
    by_column = np.empty((len(own) + columns.shape[1], len(slate)), np.float32)
    by_column[: len(own)] = own
    by_column[len(own) :] = columns.T
    return by_column.T


def source_columns(slate: Slate, sources: Sources) -> Floats:
    """(n, 2 * sources): what the sources say of the candidates, asked with the slate's own user, session and context.

    NaN for candidates that are not in the union of the sources, such as new items that were drawn at random.
    """
    queries = queries_of_rows(sources.codes, [slate.scored_us], [slate.user], [slate.session], [slate.context])
    found = sources.candidates(queries)
    listed = {item: i for i, item in enumerate(queries.decode(found.items))}
    columns = np.full((len(slate), len(sources.features)), np.nan, np.float32)
    for position, item in enumerate(slate.item_ids):
        if item in listed:
            columns[position] = found.columns[listed[item]]
    return columns


def recommend_contract(project: str, declaration: Declaration, sources: Sources) -> ModelContract:
    """The contract of the present code for a model that was trained with ``sources``."""
    ranker = current_contract(project, declaration)
    return replace(
        ranker,
        features=(*ranker.features, *(ContractFeature(f.name, f.dtype, f.source) for f in sources.features)),
        versions={
            **ranker.versions,
            "candidates": UNION_VERSION,
            **{f"source_{name}": KINDS[name].version for name in sources.names},
        },
    )
