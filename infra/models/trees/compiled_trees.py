"""A LightGBM ranker whose trees one compiled kernel evaluates: many times faster, the same scores bit for bit.

Where the kernel cannot score, LightGBM does. :class:`Engine` names which of them scores, and why.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from infra.models.arrays import Doubles, Floats
from infra.models.ranker import LightGbmRanker, Ranker, check_width
from infra.models.trees.forest import read_forest
from infra.models.trees.kernel import Kernel, kernel
from infra.models.trees.score_parity import ScoredRows, difference_on
from infra.models.trees.tables import Tables, Unsupported, tables_of
from infra.models.vocabulary import Vocabulary

EngineName = Literal["llvm", "lightgbm", "baseline"]

log = logging.getLogger(__name__)


class NotAccepted(RuntimeError):
    """The message says why LightGBM has to score."""


@dataclass(frozen=True)
class Engine:
    """What computes the scores. ``reason``: why it is this one."""

    name: EngineName
    reason: str


NOT_COMPILED = Engine("lightgbm", "the trees were not compiled")


@dataclass(frozen=True)
class CompiledRanker:
    """``original`` through the kernel: equal scores, bit for bit."""

    original: LightGbmRanker
    tables: Tables
    kernel: Kernel
    kind: Literal["lightgbm"] = "lightgbm"

    @property
    def feature_names(self) -> tuple[str, ...]:
        return self.original.feature_names

    @property
    def vocabulary(self) -> Vocabulary:
        return self.original.vocabulary

    def score(self, matrix: Floats) -> Doubles:
        check_width(matrix, self.feature_names)
        if matrix.dtype != np.float32:  # the kernel compares float32, LightGBM compares float64 too
            return self.original.score(matrix)
        return self.kernel.scores(self.tables, matrix)

    def contributions(self, matrix: Floats) -> Doubles:
        return self.original.contributions(matrix)

    def save(self, folder: Path) -> None:
        self.original.save(folder)


def own_engine(ranker: Ranker) -> Engine:
    """The engine of a ranker that was not given to :func:`compiled`."""
    if ranker.kind == "baseline":
        return Engine("baseline", "a baseline has no trees")
    return NOT_COMPILED


def compiled(ranker: Ranker, rows: ScoredRows | None) -> tuple[Ranker, Engine]:
    """The ranker that scores, and its engine. Takes about 0.3 s for 300 trees of 63 leaves.

    ``rows``: the model's own test rows. Never raises: where the kernel cannot score, the result is ``ranker``
    itself and the reason.
    """
    if not isinstance(ranker, LightGbmRanker):
        return ranker, own_engine(ranker)
    started = time.monotonic()
    try:
        found = _accepted(ranker, rows)
    except Exception as error:  # whatever LLVM or the machine does, LightGBM can score
        reason = str(error) if isinstance(error, NotAccepted | Unsupported) else f"{type(error).__name__}: {error}"
        log.warning("the trees are not compiled, so LightGBM scores: %s", reason)
        return ranker, Engine("lightgbm", reason)
    log.info("the compiled kernel scores, ready after %.2f s", time.monotonic() - started)
    return found, Engine("llvm", "equal to LightGBM on the model's test rows")


def _accepted(ranker: LightGbmRanker, rows: ScoredRows | None) -> CompiledRanker:
    """Raises NotAccepted or Unsupported."""
    if rows is None or rows.matrix.shape[1] != len(ranker.feature_names):
        raise NotAccepted("the model was registered without test rows that fit it: train it again")
    try:
        found = CompiledRanker(ranker, tables_of(read_forest(ranker.booster.model_to_string())), kernel())
    except ImportError as error:
        raise NotAccepted(f"{error}: install the extra `fast`") from error
    if difference := difference_on(rows, found.score, ranker):
        raise NotAccepted(difference)
    return found
