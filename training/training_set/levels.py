"""Which texts of a category get a code of their own: learned from the train split, by support.

A text is kept if it stands in enough train slates, and if enough items (users, sessions) share it: what is nearly an
id, as a title, tells the items of the past apart and nothing more. Of those, the most frequent are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from infra.models.arrays import Floats
from infra.models.vocabulary import MISSING, Vocabulary

ENTITY = "entity"  # in the metadata of a field: whose text it is
OWNERS = ("item_id", "user_id", "session_id")  # columns of a training set; a slate has one text of the context


@dataclass(frozen=True)
class Levels:
    """``min_slates``: that a text stands in; ``min_owners``: items, users or sessions that share it, which is not asked
    of the context; ``max_levels``: of one category, 0 leaves categories out of the model.
    """

    min_slates: int = 100
    min_owners: int = 5
    max_levels: int = 250

    @staticmethod
    def of(params: Mapping[str, Any]) -> Levels:
        """``params``: a section ``train`` of params.yaml. Raises ValueError for an unknown name."""
        given = params.get("categories") or {}
        known = [each.name for each in fields(Levels)]
        if unknown := sorted(given.keys() - set(known)):
            raise ValueError(f"params.yaml, train.categories: no {', '.join(unknown)}; there are {', '.join(known)}")
        return Levels(**{name: int(value) for name, value in given.items()})

    def learned(
        self, table: pa.Table, features: Sequence[str], train: npt.NDArray[np.bool_], slate: npt.NDArray[np.int64]
    ) -> Vocabulary:
        """``table``: n rows of a training set. (n,): ``train``, whether they are of that split; ``slate``, a number."""
        categories = [table.schema.field(name) for name in features if _is_text(table.schema.field(name).type)]
        read = [field.name for field in categories] + [name for name in OWNERS if name in table.column_names]
        rows = table.select(read).filter(pa.array(train))
        return Vocabulary({field.name: self._kept(rows, field, slate[train]) for field in categories})

    def _kept(self, rows: pa.Table, field: pa.Field, slate: npt.NDArray[np.int64]) -> tuple[str, ...]:
        texts, numbers = dictionary(rows[field.name])
        slates = _distinct(numbers, slate, len(texts))
        enough = slates >= self.min_slates
        owner = f"{(field.metadata or {}).get(ENTITY.encode(), b'').decode()}_id"
        if owner in OWNERS:
            _, owners = dictionary(rows[owner])
            enough &= _distinct(numbers, owners, len(texts)) >= self.min_owners
        order = sorted(np.flatnonzero(enough).tolist(), key=lambda i: (-slates[i], texts[i]))
        return tuple(texts[i] for i in order[: self.max_levels])


def dictionary(column: pa.ChunkedArray) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The different texts of a column of strings, and (n,) the index of each row's; -1 for null."""
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    encoded = column.unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # of no chunk
        return [], np.empty(0, np.int64)
    numbers = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return encoded.dictionary.to_pylist(), numbers.astype(np.int64)


def feature_matrix_of(table: pa.Table, names: tuple[str, ...], vocabulary: Vocabulary) -> Floats:
    """(n, f) of the columns ``names`` of a training set, as the ranker of ``vocabulary`` reads it."""
    matrix = np.empty((len(table), len(names)), dtype=np.float32)
    for j, name in enumerate(names):
        if _is_text(table[name].type):
            texts, numbers = dictionary(table[name])
            matrix[:, j] = np.append(vocabulary.codes(name, texts), np.float32(MISSING))[numbers]  # -1 is the last
        else:
            matrix[:, j] = table[name].to_numpy()
    return matrix


def _is_text(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_dictionary(dtype) or pa.types.is_string(dtype) or pa.types.is_large_string(dtype))


def _distinct(numbers: npt.NDArray[np.int64], others: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """(count,) with how many different others each number stands in a row."""
    known = numbers >= 0
    width = int(others.max(initial=0)) + 1
    pairs = np.unique(numbers[known] * width + others[known])
    return np.bincount(pairs // width, minlength=count)
