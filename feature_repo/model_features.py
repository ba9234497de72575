"""The ranker's inputs, explicit and ordered, and the matrix they make."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from feature_repo.derived import derived_columns, derived_features
from feature_repo.schema import Declaration, DType, Feature, views
from feature_repo.slate import Floats, ItemRows, Row, Slate


@cache  # asked for at every slate
def model_features(declaration: Declaration) -> tuple[Feature, ...]:
    """Every input of the ranker: Float32 view columns, derived features, then request facts."""
    stored = tuple(
        Feature(column.name, view.name, column.description, column.unit)
        for view in views(declaration)
        for column in view.columns
        if column.dtype is DType.FLOAT32
    )
    sent = tuple(Feature(fact.name, "request", fact.description, fact.unit) for fact in declaration.facts)
    return (*stored, *derived_features(declaration), *sent)


class _RowColumns:
    """The features of a user's or a session's row, which all candidates share."""

    def __init__(self, features: list[tuple[int, str]]) -> None:
        self._names = [name for _, name in features]
        self.places = [j for j, _ in features]  # columns of the matrix

    def __call__(self, row: Row) -> Floats:
        """(features, 1)"""
        values = [row.get(name) for name in self._names]
        return np.array([np.nan if value is None else value for value in values], np.float32)[:, None]


@dataclass(frozen=True)
class _Columns:
    """Where the features of each kind stand: (column of the matrix, name)."""

    items: list[tuple[int, str]]
    first_items: list[str]  # their names, if they come before all others
    user: _RowColumns
    session: _RowColumns
    derived: int  # column of the first
    facts: list[tuple[int, str]]
    width: int


@cache
def _columns(declaration: Declaration) -> _Columns:
    entity_of = {view.name: view.entity for view in views(declaration)}
    features = list(enumerate(model_features(declaration)))
    stored = [(j, each.name, entity_of[each.source]) for j, each in features if each.source in entity_of]
    items = [(j, name) for j, name, entity in stored if entity == "item"]
    return _Columns(
        items=items,
        first_items=[name for _, name in items] if [j for j, _ in items] == list(range(len(items))) else [],
        user=_RowColumns([(j, name) for j, name, entity in stored if entity == "user"]),
        session=_RowColumns([(j, name) for j, name, entity in stored if entity == "session"]),
        derived=len(stored),
        facts=[(j, each.name) for j, each in features if each.source == "request"],
        width=len(features),
    )


def feature_matrix(slate: Slate, declaration: Declaration) -> Floats:
    """(n, len(model_features)) float32 in the order of :func:`model_features`, NaN where unknown.

    Column by column in memory, which is how it is written here and read by the trees.
    """
    columns = _columns(declaration)
    by_column = np.empty((columns.width, len(slate)), dtype=np.float32)
    items = slate.items
    if isinstance(items, ItemRows) and items.float_names == columns.first_items:
        by_column[: len(columns.first_items)] = items.floats.T
    else:
        for j, name in columns.items:
            by_column[j] = items[name]
    for row, its in ((slate.user, columns.user), (slate.session, columns.session)):
        by_column[its.places] = row.once(its)
    for j, values in enumerate(derived_columns(slate, declaration).values(), columns.derived):
        by_column[j] = values
    for j, name in columns.facts:
        by_column[j] = slate.facts.get(name, np.nan)
    return by_column.T
