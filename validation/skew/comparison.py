"""Compares a served slate with the log, value by value and bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feature_repo.definitions.view import Feature
from feature_repo.live.score_records import ScoreRecord
from feature_repo.slate import Floats
from validation.skew.causes.case import Case
from validation.skew.causes.value_causes import CAUSES, UNKNOWN

EQUAL = -1
NAMES = (*(cause.name for cause in CAUSES), UNKNOWN)
UNEXPLAINED = frozenset({UNKNOWN, *(cause.name for cause in CAUSES if cause.is_skew)})
"""The causes that count against the threshold, because serving and training disagree."""


@dataclass(frozen=True)
class Comparison:
    """``causes``: (n, f), EQUAL or the index of the cause in NAMES. ``offline``: (n, f). ``features``: the f."""

    features: Sequence[Feature]
    record: ScoreRecord
    offline: Floats
    causes: npt.NDArray[np.int8]


def differs(one: Floats, other: Floats) -> npt.NDArray[np.bool_]:
    """(n, f) whether the bits differ. All NaN are equal."""
    found: npt.NDArray[np.bool_] = (_bits(one) != _bits(other)) & ~(np.isnan(one) & np.isnan(other))
    return found


def equal(features: Sequence[Feature], record: ScoreRecord, offline: Floats) -> Comparison:
    """The comparison of a slate without a difference."""
    return Comparison(features, record, offline, np.full(offline.shape, EQUAL, np.int8))


def compare(case: Case) -> Comparison:
    """The comparison of a slate with differences. Each is explained by the first cause that reproduces it."""
    causes = np.full(case.offline.shape, EQUAL, np.int8)
    open_cells = differs(case.offline, case.online)
    for number, cause in enumerate(CAUSES):
        if not open_cells.any():
            break
        for matrix in cause.matrices(case):
            explained = open_cells & ~differs(matrix, case.online)
            causes[explained] = number
            open_cells &= ~explained
    causes[open_cells] = NAMES.index(UNKNOWN)
    return Comparison(case.features, case.record, case.offline, causes)


def _bits(matrix: Floats) -> npt.NDArray[np.uint32]:
    return np.ascontiguousarray(matrix, dtype=np.float32).view(np.uint32)
