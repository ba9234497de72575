"""One slate with everything that was read for it: the input of the derived features.

Training fills it from a point-in-time join, serving from the online store. What is missing is NaN in
an array, ``None`` in a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Slate:
    """``n`` candidates in the caller's order, scored for one user and session at one moment.

    scored_us:  the request's moment, µs since the epoch
    item_ids:   (n,) candidate ids, in input order
    items:      column of an item view -> (n,); float32, float64 for instants, object for strings
    user:       column of a user view -> value; empty when nothing is known of the user
    session:    column of a session view -> value; empty when nothing is known of the session
    companions: item in the cart -> (companion ids, shares)
    facts:      request fact -> (n,) float32
    context:    name -> value, what the caller says of the request as a whole
    """

    scored_us: int
    item_ids: Sequence[str]
    items: Mapping[str, npt.NDArray[Any]]
    user: Mapping[str, Any] = field(default_factory=dict)
    session: Mapping[str, Any] = field(default_factory=dict)
    companions: Mapping[str, tuple[Sequence[str], Sequence[float]]] = field(default_factory=dict)
    facts: Mapping[str, Floats] = field(default_factory=dict)
    context: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.item_ids)


def floats(values: Sequence[float | None]) -> Floats:
    """(n,) float32 with NaN for None."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float32)


def instants(values: Sequence[int | None]) -> npt.NDArray[np.float64]:
    """(n,) float64 with NaN for None: exact for µs since the epoch until the year 2255."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
