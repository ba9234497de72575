"""The list of an answer in its order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from pydantic import GetCoreSchemaHandler, create_model
from pydantic_core import CoreSchema


class ScoredItem(msgspec.Struct, frozen=True, gc=False):
    """Higher scores come first. Scores of different answers cannot be compared."""

    item_id: str
    score: float

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """For the documentation only: FastAPI describes answers by pydantic, which does not know msgspec's structs."""
        fields: dict[str, Any] = {each.name: (each.type, ...) for each in msgspec.structs.fields(cls)}
        return handler.generate_schema(create_model(cls.__name__, __doc__=cls.__doc__, **fields))


class Ranking:
    """The candidates by score, highest first; equal scores keep their input order. A list of ScoredItem in JSON.

    item_ids, scores: (n,) in input order; order: (n,) positions, the best first.
    """

    __slots__ = ("item_ids", "order", "scores")

    def __init__(self, item_ids: Sequence[str], scores: npt.NDArray[np.float64]) -> None:
        self.item_ids = item_ids
        self.scores = np.asarray(scores, np.float64)  # float32 would be written with other digits
        self.order = best_first(self.scores)

    def listed(self) -> list[ScoredItem]:
        ids = np.fromiter(self.item_ids, object, len(self.item_ids))
        return list(map(ScoredItem, ids.take(self.order).tolist(), self.scores.take(self.order).tolist()))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler.generate_schema(list[ScoredItem])


def best_first(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """(n,) positions by score, highest first; equal scores keep their input order."""
    return (-scores).argsort(kind="stable")
