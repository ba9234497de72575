"""The ranker's inputs, explicit and ordered, and the matrix they make."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from feature_repo.definitions.view import KEYED, Feature
from feature_repo.definitions.views import views
from feature_repo.derived.categories import Coder, category_codes, category_entities, category_features
from feature_repo.derived.families import derived_columns, derived_features
from feature_repo.derived.family import Sparse
from feature_repo.derived.typed import typed_columns, typed_features
from feature_repo.schema import Declaration, DType
from feature_repo.slate import Floats, ItemRows, Row, Slate
from infra.models.model_contract import CATEGORY

STORED_VERSION = 4  # of the columns that enter the matrix as they are stored or sent; part of the model's contract


@cache  # needed for every slate
def model_features(declaration: Declaration) -> tuple[Feature, ...]:
    """Every input of the ranker: Float32 columns, those of other types, derived features, categories, request facts."""
    stored = tuple(
        Feature(column.name, view.name, column.description, column.unit)
        for view in views(declaration)
        for column in view.columns
        if column.dtype is DType.FLOAT32
    )
    sent = tuple(Feature(fact.name, "request", fact.description, fact.unit) for fact in declaration.facts)
    return (*stored, *typed_features(declaration), *derived_features(), *category_features(declaration), *sent)


class _RowColumns:
    """The features of a user's or a session's row, the same for all candidates."""

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def __call__(self, row: Row) -> list[float]:
        values = [row.get(name) for name in self.names]
        return [math.nan if value is None else value for value in values]


@dataclass(frozen=True)
class _Columns:
    """The features of each kind, in the order of the matrix; the derived ones and the categories are before the facts.

    ``categories``: feature -> whose texts it holds.
    """

    items: list[str]
    user: _RowColumns
    session: _RowColumns
    keyed: list[str]
    facts: list[str]
    categories: dict[str, str]
    width: int


@cache
def _columns(declaration: Declaration) -> _Columns:
    entity_of = {view.name: view.entity for view in views(declaration)}
    typed = typed_features(declaration)
    features = [each for each in model_features(declaration) if each.dtype != CATEGORY and each not in typed]
    of: dict[str, list[str]] = {"item": [], "user": [], "session": [], KEYED: []}
    for each in features:
        if each.source in entity_of:
            of[entity_of[each.source]].append(each.name)
    stored = [each.name for each in features if each.source in entity_of]
    if [name for names in of.values() for name in names] != stored:
        raise ValueError("the views must be grouped by entity: items, then users, sessions and other keys")
    categories = category_entities(declaration)
    return _Columns(
        items=of["item"],
        user=_RowColumns(of["user"]),
        session=_RowColumns(of["session"]),
        keyed=of[KEYED],
        facts=[each.name for each in features if each.source == "request"],
        categories=categories,
        width=len(features) + len(typed) + len(categories),
    )


def feature_matrix(slate: Slate, declaration: Declaration, coder: Coder) -> Floats:
    """(n, len(model_features)) float32 in the order of :func:`model_features`, NaN where unknown.

    ``coder``: gives the codes of the categories, 0 where unknown; for a model it is the model's vocabulary.
    The matrix lies column by column in memory: it is filled that way and the trees read it that way.
    """
    columns = _columns(declaration)
    computed = (
        *(slate.keyed.get(name, math.nan) for name in columns.keyed),
        *typed_columns(slate, declaration),
        *derived_columns(slate, declaration).values(),
        *category_codes(slate, columns.categories, coder),
    )
    shared = [*slate.user.once(columns.user), *slate.session.once(columns.session)]  # the same for all candidates
    own_values: list[tuple[int, npt.NDArray[Any] | Sparse]] = []
    for values in computed:
        if isinstance(values, float):
            shared.append(values)
            continue
        own_values.append((len(columns.items) + len(shared), values))
        shared.append(values.fill if isinstance(values, Sparse) else math.nan)
    shared += [math.nan] * len(columns.facts)
    own = len(columns.items)
    by_column = np.empty((columns.width, len(slate)), dtype=np.float32)
    by_column[own:] = np.array(shared, np.float32)[:, None]
    items = slate.items
    if isinstance(items, ItemRows) and items.float_names == columns.items:
        by_column[:own] = items.floats.T
    else:
        for j, name in enumerate(columns.items):
            by_column[j] = items[name]
    for j, column in own_values:
        if isinstance(column, Sparse):
            by_column[j, column.positions] = column.values
        else:
            by_column[j] = column
    for j, name in enumerate(columns.facts if slate.facts else (), columns.width - len(columns.facts)):
        by_column[j] = slate.facts.get(name, np.nan)
    return by_column.T
