"""A slate's stored values as the bytes that Redis would answer with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from feature_repo.definitions.view import KEYED, View
from feature_repo.definitions.views import ITEM_COMPANIONS, value_types, views
from feature_repo.online.redis_format.encoding import encode
from feature_repo.schema import Column, Declaration, DType
from feature_repo.slate import WIDE, Slate


@dataclass(frozen=True)
class Stored:
    """One column's ``cells``: of ``many`` candidates, which serving decodes together, or of a user, a session or the
    items in the cart, which it decodes one by one.
    """

    cells: Sequence[bytes]
    dtype: DType
    many: bool

    @property
    def bytes(self) -> int:
        return sum(map(len, self.cells))


def stored_values(slate: Slate, declaration: Declaration) -> Iterator[tuple[str, str, Stored]]:
    """(view, column, cells) of all views."""
    for view in views(declaration):
        types = value_types(view)
        for column in view.columns:
            values = _values(slate, view, column)
            cells = encode(pa.array(values, column.dtype.arrow), types[column.name]).to_pylist()
            yield view.name, column.name, Stored(cells, column.dtype, _is_of_candidates(view))


def _is_of_candidates(view: View) -> bool:
    return view.entity in ("item", KEYED) and view.name != ITEM_COMPANIONS.name


def _values(slate: Slate, view: View, column: Column) -> list[Any]:
    if _is_of_candidates(view):
        values = (slate.items if view.entity == "item" else slate.keyed)[column.name].tolist()
        return [_as_stored(value, column.dtype) for value in values]
    if view.name == ITEM_COMPANIONS.name:
        index = [each.name for each in view.columns].index(column.name)
        return [companions[index] for companions in slate.companions.values()]
    row = slate.user if view.entity == "user" else slate.session
    return [row.get(column.name)]


_WHOLE: dict[DType, Callable[[float], Any]] = {DType.FLOAT64: float, DType.BOOL: bool}


def _as_stored(value: Any, dtype: DType) -> Any:
    """The reverse of :func:`feature_repo.slate.column_array`."""
    if dtype in WIDE:
        if value != value:
            return None
        return datetime.fromtimestamp(value, UTC) if dtype is DType.TIMESTAMP else _WHOLE.get(dtype, int)(value)
    return np.frombuffer(value, np.float32).tolist() if isinstance(value, bytes) else value
