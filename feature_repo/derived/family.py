"""What a derived family is, and the columns it gives. A file of your own beside this one may hold a further family:

    @derived(
        version=1,
        reads=("session_state:recent_items", "item_attributes:price"),
        gives=(("price_vs_touched", "price over the mean price of the items touched so far", "ratio"),),
    )
    def versus_touched(slate: Slate, declaration: Declaration) -> dict[str, Column]:
        ...

A pair feature is NaN when the user or the session is unknown, and 0 when it is known and has no such value. Ages are
computed in float64 from the request's timestamp. Values are rounded to float32 when they enter the matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from feature_repo.definitions.view import Feature
from feature_repo.schema import Declaration
from feature_repo.slate import Slate

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Sparse(NamedTuple):
    """A column in which few candidates have a value of their own: (k,) ``values`` at (k,) ``positions``.

    The others have ``fill``.
    """

    positions: Sequence[int] | Integers
    values: Sequence[float] | npt.NDArray[Any]
    fill: float


Column = npt.NDArray[Any] | Sparse | float  # (n,), or one number for all candidates


@dataclass(frozen=True)
class Family:
    """Features that are computed together.

    ``version`` is part of the model's contract: raise it whenever a value changes for the same slate. The golden
    matrix in the tests fails until it is raised. ``reads``: the views, or columns of them as ``view:column``, whose
    values enter. ``columns`` returns one column per feature, in the order of ``features``.
    """

    name: str
    version: int
    reads: tuple[str, ...]
    features: tuple[Feature, ...]
    columns: Callable[[Slate, Declaration], dict[str, Column]]


def derived(
    *, version: int, reads: Sequence[str], gives: Sequence[tuple[str, str, str]]
) -> Callable[[Callable[[Slate, Declaration], dict[str, Column]]], Family]:
    """Make a function the family of its name. ``gives``: name, description and unit of each feature, in order."""
    features = tuple(Feature(name, "derived", description, unit) for name, description, unit in gives)
    return lambda columns: Family(columns.__name__, version, tuple(reads), features, columns)


def at_candidates(slate: Slate, indices: Mapping[str, int]) -> tuple[Integers, Integers]:
    """The candidates among the keys of ``indices``: (k,) positions in the slate, and (k,) indices of each."""
    ids = slate.positions.keys() & indices.keys()
    return np.array([slate.positions[each] for each in ids], int), np.array([indices[each] for each in ids], int)


def first_indices(values: Sequence[str]) -> dict[str, int]:
    """Value -> the index at which it first occurs."""
    last_first = range(len(values) - 1, -1, -1)
    return dict(zip(reversed(values), last_first, strict=True))


def or_nan(value: Any) -> Any:
    return math.nan if value is None else value
