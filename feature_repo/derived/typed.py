"""Inputs that follow from the type of a column, in a view over a table of a user's own.

    numbers of other types than Float32, and booleans: as they are
    timestamps: their age at the request, in whole seconds, as Feast stores them
    lists of strings with the tag ``allowed``: for each of these values, 1 where it is in the list
    lists with the tags ``similar_to`` (view:column) and ``similarity``: how similar they are to that other list;
        cosine and dot of vectors, overlap of lists of strings (common values over all values)

Float32 columns and strings are inputs elsewhere (``model_features.py``, ``categories.py``). Missing is NaN.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from feature_repo.definitions.fields import TIME_UNIT
from feature_repo.definitions.view import KEYED, Feature, SimilarColumn, View
from feature_repo.definitions.views import views
from feature_repo.derived.family import Column as Values
from feature_repo.derived.family import Doubles
from feature_repo.schema import Column, Declaration, DType
from feature_repo.slate import Slate

NUMBERS = (DType.FLOAT64, DType.INT32, DType.INT64, DType.BOOL)
KNOWN_LISTS = 100_000  # of strings, whose values have been looked up


@cache
def typed_features(declaration: Declaration) -> tuple[Feature, ...]:
    return tuple(feature for view, column in _columns(declaration) for feature in _features(view, column))


def typed_columns(slate: Slate, declaration: Declaration) -> list[Values]:
    """The columns of :func:`typed_features`, before they are rounded to float32."""
    return [values for view, column in _columns(declaration) for values in _values(slate, view, column, declaration)]


@cache
def _columns(declaration: Declaration) -> tuple[tuple[View, Column], ...]:
    """Those of built views that are no Float32 are inputs of derived features only."""
    own = [view for view in views(declaration) if view.origin is not None]
    return tuple((view, each) for view in own for each in view.columns if _features(view, each))


def _features(view: View, column: Column) -> list[Feature]:
    def feature(name: str, description: str, unit: str) -> Feature:
        return Feature(name, view.name, description, unit)

    if column.dtype in NUMBERS and column.unit != TIME_UNIT:
        return [feature(column.name, column.description, column.unit)]
    if column.dtype is DType.TIMESTAMP:
        return [feature(f"{column.name}_age_s", f"since {column.description}", "s")]
    if isinstance(column, SimilarColumn):
        name, other = f"{column.name}_{column.similarity}", column.similar_to
        return [feature(name, f"{column.similarity} of {column.name} and {other}", "ratio")]
    if column.dtype is DType.STRING_LIST and column.allowed is not None:
        return [
            feature(f"{column.name}_{_word(value)}", f"1 if {value} is in {column.name}", "flag")
            for value in column.allowed
        ]
    return []


def _word(value: str) -> str:
    return re.sub(r"\W+", "_", value.lower()).strip("_") or "none"


def _values(slate: Slate, view: View, column: Column, declaration: Declaration) -> Sequence[Values]:
    if column.dtype is DType.TIMESTAMP:
        return [slate.scored_us // 1_000_000 - _numbers(slate, view, column)]
    if isinstance(column, SimilarColumn):
        other_view, other = _referred(declaration, column.similar_to)
        return [SIMILARITIES[column.similarity](_lists(slate, view, column), _lists(slate, other_view, other))]
    if column.dtype is DType.STRING_LIST:
        assert column.allowed is not None
        rows = [_hot(values, column.allowed) for values in _lists(slate, view, column)]
        return list(np.array(rows).T) if len(rows) > 1 else list(rows[0])
    return [_numbers(slate, view, column)]


@cache
def _referred(declaration: Declaration, reference: str) -> tuple[View, Column]:
    name, _, column = reference.partition(":")
    view = next(view for view in views(declaration) if view.name == name)
    return view, next(each for each in view.columns if each.name == column)


def _numbers(slate: Slate, view: View, column: Column) -> Doubles | float:
    """(n,) of the candidates, or one for all."""
    if view.entity == "item":
        return np.asarray(slate.items[column.name], np.float64)
    if view.entity == KEYED:
        return np.asarray(slate.keyed[column.name], np.float64) if column.name in slate.keyed else math.nan
    value = (slate.user if view.entity == "user" else slate.session).get(column.name)
    return math.nan if value is None else float(value)


def _lists(slate: Slate, view: View, column: Column) -> list[Any]:
    """n of the candidates, or one for all; None where missing."""
    if view.entity == "item":
        return list(slate.items[column.name].tolist())
    if view.entity == KEYED:
        return list(slate.keyed[column.name].tolist()) if column.name in slate.keyed else [None]
    value = (slate.user if view.entity == "user" else slate.session).get(column.name)
    if value is None:
        return [None]
    return [np.array(value, np.float32).tobytes() if column.dtype is DType.FLOAT32_LIST else tuple(value)]


@lru_cache(maxsize=KNOWN_LISTS)
def _hot(values: tuple[str, ...] | None, allowed: tuple[str, ...]) -> tuple[float, ...]:
    if values is None:
        return (math.nan,) * len(allowed)
    return tuple(float(value in values) for value in allowed)


def _vectors(cells: Sequence[bytes | None]) -> npt.NDArray[np.float64]:
    """(n, d); a vector that is missing, or of another length than the first one, is NaN."""
    size = next((len(cell) for cell in cells if cell), 0)
    missing = np.full(size // 4, np.nan, np.float32).tobytes()
    packed = b"".join(cell if cell is not None and len(cell) == size else missing for cell in cells)
    return np.frombuffer(packed, np.float32).reshape(len(cells), -1).astype(np.float64)


def _dot(one: Sequence[bytes | None], other: Sequence[bytes | None]) -> Values:
    a, b = _vectors(one), _vectors(other)
    if a.shape[1] != b.shape[1] or not a.shape[1]:
        return math.nan
    return _shared(np.add.reduce(a * b, axis=1))


def _cosine(one: Sequence[bytes | None], other: Sequence[bytes | None]) -> Values:
    a, b = _vectors(one), _vectors(other)
    if a.shape[1] != b.shape[1] or not a.shape[1]:
        return math.nan
    lengths = np.sqrt(np.add.reduce(a * a, axis=1)) * np.sqrt(np.add.reduce(b * b, axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return _shared(np.add.reduce(a * b, axis=1) / lengths)


def _overlap(one: Sequence[tuple[str, ...] | None], other: Sequence[tuple[str, ...] | None]) -> Values:
    n = max(len(one), len(other))
    a, b = (list(each) * n if len(each) == 1 else list(each) for each in (one, other))
    return _shared(np.array([_common(x, y) for x, y in zip(a, b, strict=True)]))


@lru_cache(maxsize=KNOWN_LISTS)
def _common(one: tuple[str, ...] | None, other: tuple[str, ...] | None) -> float:
    if one is None or other is None:
        return math.nan
    together = set(one) | set(other)
    return len(set(one) & set(other)) / len(together) if together else math.nan


def _shared(values: Doubles) -> Values:
    return float(values[0]) if len(values) == 1 else values


SIMILARITIES: dict[str, Callable[[Sequence[Any], Sequence[Any]], Values]] = {
    "cosine": _cosine,
    "dot": _dot,
    "overlap": _overlap,
}
