"""One column of a training set, read alone: the whole set need not be in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from infra.models.arrays import Doubles
from training.training_set.ranking_data import SPLITS, BadTrainingSet

CATEGORY = "category"  # a feature's dtype


@dataclass(frozen=True)
class Values:
    """A feature by split: (n,) float64 each, NaN where it is missing. A category has a number for each of its levels,
    the same in every split; the numbers have no order.
    """

    name: str
    is_category: bool
    by_split: dict[str, Doubles]

    def coverage(self) -> dict[str, float]:
        """The share of rows that have a value, by split."""
        return {name: float((~np.isnan(values)).mean()) for name, values in self.by_split.items()}


def read_values(path: Path, dtypes: dict[str, str], splits: Sequence[str] = SPLITS) -> Iterator[Values]:
    """The features of ``dtypes``, name -> dtype, one after the other. Raises BadTrainingSet."""
    try:
        file = pq.ParquetFile(path)
    except FileNotFoundError as error:
        raise BadTrainingSet(f"{path} is missing: run `python -m training.training_set`") from error
    with file:
        missing = sorted(dtypes.keys() - set(file.schema_arrow.names))
        if missing:
            raise BadTrainingSet(f"{path}: feature columns {missing} are missing; build the training set again")
        split = file.read(["split"])["split"]
        rows = {name: pc.equal(split, name).to_numpy() for name in splits}
        empty = [name for name, of_split in rows.items() if not of_split.any()]
        if empty:
            raise BadTrainingSet(f"{path}: no rows are in the split {' and '.join(empty)}")
        for name, dtype in dtypes.items():
            column = file.read([name])[name]
            is_category = dtype == CATEGORY or not pa.types.is_floating(column.type)
            values = _levels(column) if is_category else column.to_numpy()
            yield Values(name, is_category, {each: values[of_split] for each, of_split in rows.items()})


def _levels(column: pa.ChunkedArray) -> Doubles:
    """(n,) float64: a number for each distinct value, NaN for null and for NaN."""
    if pa.types.is_floating(column.type):  # numbers of levels already
        return np.asarray(column.to_numpy(), np.float64)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    numbers = column.unify_dictionaries().combine_chunks().indices
    return np.asarray(numbers.to_numpy(zero_copy_only=False), np.float64)
