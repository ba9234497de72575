"""A LightGBM ranker as machine code: many times faster, the same scores bit for bit, or LightGBM after all.

Compiling takes seconds; until it is done, and wherever the result cannot be had or differs from LightGBM in one
bit, LightGBM scores. Which of them does, and why, is the :class:`Engine`. Accepted code is kept for the next start.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import lightgbm
import numpy as np

from infra.models.ranker import Doubles, Floats, LightGbmRanker, Ranker, check_width
from infra.models.trees import forest, machine_code, native_forest, tree_code
from infra.models.trees.code_cache import CodeCache
from infra.models.trees.compilation import NotCompiled, code_from_child
from infra.models.trees.forest import Unsupported, read_forest
from infra.models.trees.native_forest import NativeForest
from infra.models.trees.score_parity import ScoredRows, on_test_rows

EngineName = Literal["llvm", "lightgbm", "baseline"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Engine:
    """What computes the scores. ``reason``: why it is this one."""

    name: EngineName
    reason: str


NOT_YET = Engine("lightgbm", "the trees are not compiled yet")


@dataclass(frozen=True)
class CompiledRanker:
    """``original`` through machine code: equal scores, bit for bit."""

    original: LightGbmRanker
    native: NativeForest
    kind: Literal["lightgbm"] = "lightgbm"

    @property
    def feature_names(self) -> tuple[str, ...]:
        return self.original.feature_names

    def score(self, matrix: Floats) -> Doubles:
        check_width(matrix, self.feature_names)
        if matrix.dtype != np.float32:  # the code compares float32, LightGBM would compare what it is given
            return self.original.score(matrix)
        return self.native.score(matrix)

    def contributions(self, matrix: Floats) -> Doubles:
        return self.original.contributions(matrix)

    def save(self, folder: Path) -> None:
        self.original.save(folder)


def first_engine(ranker: Ranker) -> Engine:
    """What scores as long as nothing is compiled."""
    if ranker.kind == "baseline":
        return Engine("baseline", "a baseline has no trees")
    return NOT_YET


def compiled(
    ranker: Ranker, rows: ScoredRows | None, folder: Path, stop: threading.Event | None = None
) -> tuple[Ranker, Engine]:
    """The ranker to score with from now on, and its engine; takes seconds.

    ``rows``: the model's own test rows. ``folder``: where accepted code is kept. ``stop``, once set, ends it early.
    Never raises for what is wrong with the model, the machine or the folder: then it is the ranker that came.
    """
    if not isinstance(ranker, LightGbmRanker):
        return ranker, first_engine(ranker)
    started = time.monotonic()
    try:
        native = _accepted(ranker, rows, CodeCache(folder), stop or threading.Event())
    except Exception as error:  # whatever LLVM or the machine does, LightGBM can score
        reason = str(error) if isinstance(error, NotCompiled | Unsupported) else f"{type(error).__name__}: {error}"
        log.warning("LightGBM scores, its trees are not compiled: %s", reason)
        return ranker, Engine("lightgbm", reason)
    log.info("compiled trees score from now on, ready after %.1f s", time.monotonic() - started)
    return CompiledRanker(ranker, native), Engine("llvm", "equal to LightGBM on the model's test rows and thresholds")


def _accepted(ranker: LightGbmRanker, rows: ScoredRows | None, cache: CodeCache, stop: threading.Event) -> NativeForest:
    if rows is None or rows.matrix.shape[1] != len(ranker.feature_names):
        raise NotCompiled("no test rows that can be read are registered with the model: train it again")
    text = ranker.booster.model_to_string()
    trees = read_forest(text)
    try:
        key = _key(text)
    except ImportError as error:
        raise NotCompiled(f"{error}: install the extra `fast`") from error
    with cache.alone(key, stop):
        kept = cache.read(key)
        if kept is not None:
            native = NativeForest(trees, kept)
            if not (found := on_test_rows(native.score, ranker, rows)):
                return native
            log.warning("the kept code is not used: %s", found)
        code = code_from_child(ranker, rows, stop)
        native = NativeForest(trees, code)
        if found := on_test_rows(native.score, ranker, rows):  # in this process, too
            raise NotCompiled(found)
        cache.write(key, code)
    return native


def _key(text: str) -> str:
    """The model, the code that translates it, and the versions and the machine that it is translated for."""
    import llvmlite

    sources = [Path(str(module.__file__)).read_text() for module in (forest, tree_code, machine_code, native_forest)]
    parts = (text, *sources, llvmlite.__version__, lightgbm.__version__, *machine_code.host())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
