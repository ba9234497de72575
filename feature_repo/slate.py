"""One slate with all features that were read for it: the input of the derived features.

Training fills it from a point-in-time join, serving from the online store. A missing value is NaN in an array and
``None`` in a row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from itertools import count, repeat
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from feature_repo.definitions.view import View
from feature_repo.schema import LISTS, DType

Floats = npt.NDArray[np.float32]
Kind = Literal["floats", "timestamps", "numbers"]
NO_TIME = -(2**63)  # what Feast stores for a timestamp that is null
WIDE = (DType.INT64, DType.FLOAT64, DType.INT32, DType.BOOL, DType.TIMESTAMP)  # float64 in a slate
KINDS: dict[DType, Kind] = {  # where a column of an item stands in ItemRows
    DType.FLOAT32: "floats",
    **dict.fromkeys(WIDE, "timestamps"),
    **dict.fromkeys((DType.STRING, *LISTS), "numbers"),
}
T = TypeVar("T")


class Row(dict[str, Any]):
    """Column -> value of an entity's view rows. It does not change after it is read.

    ``once`` caches what is computed from the row alone.
    """

    def __init__(self, *values: Any) -> None:
        super().__init__(*values)
        self._computed: dict[Callable[[Row], Any], Any] = {}

    def once(self, compute: Callable[[Row], T]) -> T:
        found: T = self._computed[compute] if compute in self._computed else compute(self)
        self._computed[compute] = found
        return found


@dataclass(frozen=True)
class Slate:
    """``n`` candidates in the caller's order, scored for one user and session at one time.

    scored_us:  the request's timestamp, µs since the epoch
    item_ids:   (n,) candidate ids, each once, in input order
    items:      column of an item view -> (n,); float32, float64 for timestamps, object for strings
    user:       column of a user view -> value; empty when nothing is known of the user
    session:    column of a session view -> value; empty when nothing is known of the session
    companions: item in the cart -> (companion ids, shares)
    facts:      request fact -> (n,) float32
    keyed:      column of a view of other keys (:mod:`feature_repo.definitions.keys`) -> (n,), as in ``items``
    context:    name -> value, sent by the caller for the whole request
    positions:  candidate id -> its position in input order
    """

    scored_us: int
    item_ids: Sequence[str]
    items: Mapping[str, npt.NDArray[Any]]
    user: Row = field(default_factory=Row)
    session: Row = field(default_factory=Row)
    companions: Mapping[str, tuple[Sequence[str], Sequence[float]]] = field(default_factory=dict)
    facts: Mapping[str, Floats] = field(default_factory=dict)
    context: Mapping[str, str] = field(default_factory=dict)
    keyed: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    positions: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.positions:
            object.__setattr__(self, "positions", positions(self.item_ids))

    def __len__(self) -> int:
        return len(self.item_ids)

    def positions_of(self, ids: Iterable[str]) -> list[int]:
        """The positions of those ``ids`` that are candidates, in the order of ``ids``."""
        return [position for each in ids if (position := self.positions.get(each)) is not None]


class Texts:
    """Numbers for the texts of a column with many repetitions; 0 is null.

    The text of a number never changes. ``serial`` identifies this numbering. Not thread-safe.
    """

    _serials = count()

    def __init__(self) -> None:
        self.serial = next(self._serials)
        self._numbers: dict[str | None, int] = {None: 0}
        self._texts: list[str | None] = [None]

    def __len__(self) -> int:
        return len(self._texts)

    @property
    def listed(self) -> Sequence[str | None]:
        """The text of each number. It only grows."""
        return self._texts

    def number(self, text: str | None) -> int:
        """The text's number; a new text gets a new one."""
        found = self._numbers.setdefault(text, len(self._texts))
        if found == len(self._texts):
            self._texts.append(text)
        return found

    def numbers(self, texts: Iterable[str | None]) -> npt.NDArray[np.int32]:
        """(n,) of (n,)"""
        return np.fromiter(map(self.number, texts), np.int32)

    def known(self, texts: Iterable[str | None]) -> list[int]:
        """Their numbers, -1 for an unknown text."""
        return list(map(self._numbers.get, texts, repeat(-1)))

    def of(self, numbers: npt.NDArray[np.int32]) -> npt.NDArray[np.object_]:
        """(n,) of (n,)"""
        found = np.empty(len(numbers), object)
        found[:] = [self._texts[number] for number in numbers.tolist()]
        return found


@dataclass(frozen=True)
class ItemRows(Mapping[str, npt.NDArray[Any]]):
    """Item columns in blocks: floats (n, f) float32, timestamps (n, i) float64, numbers (n, t) of (t,) ``texts``.

    ``positions``: column -> (which of the three, its index there); ``float_names``: the floats' columns in order.
    A text column is built as (n,) objects when it is read.
    """

    floats: Floats
    timestamps: npt.NDArray[np.float64]
    numbers: npt.NDArray[np.int32]
    texts: Sequence[Texts]
    positions: Mapping[str, tuple[Kind, int]]
    float_names: Sequence[str]

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        kind, position = self.positions[name]
        column: npt.NDArray[Any] = getattr(self, kind)[:, position]
        return self.texts[position].of(column) if kind == "numbers" else column

    def __iter__(self) -> Iterator[str]:
        return iter(self.positions)

    def __len__(self) -> int:
        return len(self.positions)

    def numbered(self, name: str) -> tuple[npt.NDArray[np.int32], Texts]:
        """A text column: (n,) numbers, and their texts."""
        position = self.positions[name][1]
        return self.numbers[:, position], self.texts[position]


def positions(item_ids: Sequence[str]) -> dict[str, int]:
    """Id -> its position."""
    return dict(zip(item_ids, range(len(item_ids)), strict=True))


def floats(values: Sequence[float | None]) -> Floats:
    """(n,) float32 with NaN for None."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float32)


def timestamps(values: Sequence[int | None]) -> npt.NDArray[np.float64]:
    """(n,) float64 with NaN for None: exact for µs since the epoch until the year 2255."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def column_array(values: Sequence[Any], dtype: DType) -> npt.NDArray[Any]:
    """(n,) of an item column: float32 for Float32, float64 for other numbers, else object; null is NaN or None."""
    if dtype is DType.FLOAT32:
        return floats(values)
    if dtype in WIDE:
        return timestamps([plain(value, dtype) for value in values])
    if dtype in LISTS:
        return np.fromiter((packed(value, dtype) for value in values), dtype=object, count=len(values))
    return np.fromiter(values, dtype=object, count=len(values))


def plain(value: Any, dtype: DType) -> Any:
    """A timestamp in whole seconds since the epoch, which is what Feast stores of it; others as they are."""
    if dtype is not DType.TIMESTAMP or value is None:
        return value
    if isinstance(value, int):
        return None if value == NO_TIME else value
    return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp() // 1)


def packed(value: Any, dtype: DType) -> Any:
    """A list of a candidate as it stands in a slate: a tuple, of floats the bytes of a float32 vector."""
    if value is None or isinstance(value, bytes | tuple):
        return value
    return np.asarray(value, np.float32).tobytes() if dtype is DType.FLOAT32_LIST else tuple(value)


def view_row(view: View, values: Mapping[str, Any]) -> dict[str, Any]:
    """One row of a view as the derived features read it, from an offline or an online read.

    ``values``: column -> value or None. A row of nulls only is {}. In any other row a null list is [], and so are
    aligned lists of different lengths, which a half-written row may have.
    """
    row = {column.name: plain(_value_or_none(values[column.name]), column.dtype) for column in view.columns}
    if all(value is None for value in row.values()):
        return {}
    for names in view.aligned_lists:
        whole = len({-1 if row[name] is None else len(row[name]) for name in names}) == 1
        row |= {name: (row[name] or []) if whole else [] for name in names}
    return row


def _value_or_none(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
