"""The protocol of a next-item model: it scores all items after each step of a session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

Items: TypeAlias = npt.NDArray[np.int32]
Scores: TypeAlias = npt.NDArray[np.floating[Any]]


class NextItemModel(Protocol):
    """``name``: its name in the report."""

    @property
    def name(self) -> str: ...

    def scores(self, session: Items) -> Scores:
        """session: (length,) vocabulary indices. Returns (length, n_items): row k has the scores of all items after
        session[0..k]; later items have no effect on it."""
        ...


@runtime_checkable
class BlockwiseModel(NextItemModel, Protocol):
    """A model that scores many sessions at once faster."""

    def score_blocks(self, sessions: Sequence[Items]) -> Iterator[Scores]:
        """Blocks of rows. Concatenated they equal the :meth:`scores` of each session in turn."""
        ...
