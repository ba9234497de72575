"""One served slate against the log, value by value and bit for bit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from feature_repo.live.score_records import ScoreRecord
from feature_repo.slate import Floats
from validation.skew.causes.case import Case
from validation.skew.causes.value_causes import CAUSES, UNKNOWN

EQUAL = -1
NAMES = (*(cause.name for cause in CAUSES), UNKNOWN)
UNEXPLAINED = frozenset({UNKNOWN, *(cause.name for cause in CAUSES if cause.is_skew)})
"""The causes that count against the threshold: what serves and what trains disagree."""


@dataclass(frozen=True)
class Verdict:
    """``causes``: (n, f), EQUAL or the place of the cause in NAMES. ``offline``: (n, f)."""

    record: ScoreRecord
    offline: Floats
    causes: npt.NDArray[np.int8]


def differs(one: Floats, other: Floats) -> npt.NDArray[np.bool_]:
    """(n, f) whether the bits differ; a NaN is a NaN, whatever its bits."""
    found: npt.NDArray[np.bool_] = (_bits(one) != _bits(other)) & ~(np.isnan(one) & np.isnan(other))
    return found


def equal(record: ScoreRecord, offline: Floats) -> Verdict:
    """Of a slate without any difference."""
    return Verdict(record, offline, np.full(offline.shape, EQUAL, np.int8))


def judged(case: Case) -> Verdict:
    """Each difference goes to the first cause that reproduces it."""
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
    return Verdict(case.record, case.offline, causes)


def _bits(matrix: Floats) -> npt.NDArray[np.uint32]:
    return np.ascontiguousarray(matrix, dtype=np.float32).view(np.uint32)
