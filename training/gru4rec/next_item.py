"""What a next-item model is to whoever judges or serves it: scores of all items after each step of a session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

Items: TypeAlias = npt.NDArray[np.int32]
Scores: TypeAlias = npt.NDArray[np.floating[Any]]


class NextItemModel(Protocol):
    """``name`` stands in the report."""

    @property
    def name(self) -> str: ...

    def scores(self, session: Items) -> Scores:
        """session: (length,) vocabulary indices. Returns (length, n_items): row k are the scores of all items after
        session[0..k] and nothing later."""
        ...


@runtime_checkable
class BlockwiseModel(NextItemModel, Protocol):
    """A model that is faster with many sessions at once."""

    def score_blocks(self, sessions: Sequence[Items]) -> Iterator[Scores]:
        """Blocks of rows that, one under the other, are :meth:`scores` of each session in turn."""
        ...
