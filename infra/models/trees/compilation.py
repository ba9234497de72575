"""Compiling a LightGBM model and holding the result against it, in a process of its own.

    python -m infra.models.trees.compilation FOLDER > code      FOLDER holds a ranker's files and its test rows

Requests keep the interpreter and the first call on the processor meanwhile, and LLVM may fail as hard as it likes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from infra.low_priority import give_way
from infra.models.ranker import BadModel, LightGbmRanker, load_ranker
from infra.models.trees.forest import Unsupported, read_forest
from infra.models.trees.native_forest import NativeForest
from infra.models.trees.score_parity import ScoredRows, around_thresholds, on_test_rows
from infra.models.trees.tree_code import object_code

MAX_COMPILATION_S = 900.0
POLL_S = 0.1
REFUSED = 3  # exit status; standard error then is the reason

_ROOT = Path(__file__).resolve().parents[3]


class NotCompiled(RuntimeError):
    """The message says why LightGBM has to score."""


def accepted_code(ranker: LightGbmRanker, rows: ScoredRows) -> bytes:
    """Machine code that scores as LightGBM does on the test rows and around every threshold.

    Raises NotCompiled, or Unsupported.
    """
    forest = read_forest(ranker.booster.model_to_string())
    code = object_code(forest)
    native = NativeForest(forest, code)
    found = on_test_rows(native.score, ranker, rows) or around_thresholds(native.score, ranker, forest, rows)
    if found:
        raise NotCompiled(found)
    return code


def code_from_child(ranker: LightGbmRanker, rows: ScoredRows, stop: threading.Event) -> bytes:
    """:func:`accepted_code`, made by another process, which ends when ``stop`` is set. Raises NotCompiled."""
    with tempfile.TemporaryDirectory(prefix="compile-") as name:
        folder = Path(name)
        ranker.save(folder)
        rows.save(folder)
        command = [sys.executable, "-m", __name__, name]
        with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            until = time.monotonic() + MAX_COMPILATION_S
            while True:
                try:
                    code, errors = child.communicate(timeout=POLL_S)
                    break
                except subprocess.TimeoutExpired:
                    if stop.is_set() or time.monotonic() > until:
                        child.kill()
                        raise NotCompiled("compiling took too long, or was stopped") from None
    said = errors.decode(errors="replace").strip()
    if child.returncode == REFUSED:
        raise NotCompiled(said)
    if child.returncode != 0:
        raise NotCompiled(f"compiling failed with status {child.returncode}: {said[-300:]}")
    return code


def main() -> int:
    give_way(10)  # requests go first
    folder = Path(sys.argv[1])
    try:
        ranker, rows = load_ranker(folder), ScoredRows.load(folder)
        if not isinstance(ranker, LightGbmRanker) or rows is None:
            raise NotCompiled(f"{folder} holds no LightGBM model with test rows")
        sys.stdout.buffer.write(accepted_code(ranker, rows))
    except (BadModel, NotCompiled, Unsupported) as error:
        print(error, file=sys.stderr)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
