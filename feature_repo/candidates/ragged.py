"""Lists of different lengths in flat arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from infra.models.arrays import Integers


@dataclass(frozen=True)
class Ragged:
    """Where each of ``n`` lists lies in flat arrays of ``m`` values.

    starts: (n + 1,) int64; list i is values[starts[i]:starts[i + 1]]
    """

    starts: Integers

    @staticmethod
    def of_lengths(lengths: npt.ArrayLike) -> Ragged:
        return Ragged(np.concatenate([[0], np.cumsum(np.asarray(lengths, np.int64))]).astype(np.int64))

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def size(self) -> int:
        """m: the values of all lists."""
        return int(self.starts[-1])

    @cached_property
    def lengths(self) -> Integers:
        return np.diff(self.starts)

    @cached_property
    def rows(self) -> Integers:
        """(m,) the list of each value."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @cached_property
    def positions(self) -> Integers:
        """(m,) the position of each value in its list, from 0."""
        return np.arange(self.size) - np.repeat(self.starts[:-1], self.lengths)

    def slice(self, row: int) -> slice:
        return slice(int(self.starts[row]), int(self.starts[row + 1]))
