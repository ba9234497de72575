"""A ranker's files are loaded and tried in a child process first, because some damage makes LightGBM end its process.

:func:`infra.models.trees.forest.read_forest` finds what points outside the trees. LightGBM reads more of the text, for
example ``tree_sizes``, and ends the process (SIGABRT, SIGSEGV) where that is wrong. ``python -m
infra.models.model_trial FOLDER`` is the child. It takes a second or two, most of it for importing LightGBM.
"""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from infra.models.ranker import MODEL_CARD, MODEL_FILE, VOCABULARY_FILE, BadModel, Ranker, load_ranker
from infra.settings import PROJECT_ROOT

TIMEOUT_S = 60.0
ROWS = 8
_found: dict[str, str] = {}  # digest of the files -> what is wrong with them, "" if nothing is


class RefusedModel(BadModel):
    """The child did not survive the files, or found them wrong. Train and register the model again."""


def try_ranker(folder: Path) -> None:
    """Raises RefusedModel, or BadModel if the child takes longer than TIMEOUT_S.

    A baseline is plain JSON and not tried. Files with the same content are tried once in each process.
    """
    if not (folder / MODEL_CARD).exists() or not (folder / MODEL_FILE).exists():
        return
    files = [folder / name for name in (MODEL_FILE, VOCABULARY_FILE, MODEL_CARD)]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files if path.exists())).hexdigest()
    if digest not in _found:
        _found[digest] = _tried(folder)
    if _found[digest]:
        raise RefusedModel(_found[digest])


def _tried(folder: Path) -> str:
    command = [sys.executable, "-m", "infra.models.model_trial", str(folder.resolve())]
    try:
        child = subprocess.run(
            command, cwd=PROJECT_ROOT, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BadModel(f"{MODEL_FILE}: loading it in a child process took longer than {TIMEOUT_S:g} s") from error
    if child.returncode == 0:
        return ""
    lines = (child.stdout + child.stderr).decode(errors="replace").split("\n")
    said = next((line.strip() for line in reversed(lines) if line.strip()), "no message")[:300]
    if child.returncode > 0:
        return said
    return f"{MODEL_FILE} is damaged: a process that loaded it was ended by {_name(-child.returncode)} ({said})"


def _name(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"


def check(ranker: Ranker) -> str:
    """What is wrong with the scores and contributions of a few rows, as a sentence; empty where nothing is."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(scale=10, size=(ROWS, len(ranker.feature_names))).astype(np.float32)
    matrix[: ROWS // 2] = np.where(rng.random(matrix[: ROWS // 2].shape) < 0.5, np.nan, matrix[: ROWS // 2])
    scores = ranker.score(matrix)
    if scores.shape != (ROWS,) or not np.isfinite(scores).all():
        return f"{MODEL_FILE} gives no finite score for each row: {scores.shape} for {ROWS} rows"
    shares = ranker.contributions(matrix)
    if shares.shape != (ROWS, matrix.shape[1] + 1):
        return f"{MODEL_FILE} gives contributions {shares.shape} for {matrix.shape[1]} features"
    return ""


def main(folder: Path) -> int:
    try:
        problem = check(load_ranker(folder))
    except BadModel as error:
        problem = str(error)
    print(problem)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
