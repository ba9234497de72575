"""Ways to score a LambdaMART model of 300 trees x 63 leaves on 40 float32 features, a tenth of them NaN, on one thread.

    python -m benchmarks.trees [--json FILE] [--lleaves DIR]

All in one process and in turns, slate by slate, so that a busy phase of the machine meets every contender, and
each finds the caches full of the others' code; then each alone, slate after slate, with the caches its own. Each is
held against LightGBM on ordinary rows and on rows on and next to thresholds: the largest difference, and in how many
slates of 500 the order, ties included, is the same.

A contender whose package is not installed is left out (extra ``benchmarks``). lleaves needs an llvmlite older than
ours, so it is read from a folder of its own:
``pip install --no-deps --target DIR 'lleaves==1.3.0' 'llvmlite<0.45'``
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.trees import data
from benchmarks.trees.contenders import Contender, Score, prepared
from benchmarks.trees.data import SLATE, hard_rows, model, rows_of
from infra.models.arrays import Doubles, Floats
from infra.models.trees.forest import read_forest

ROWS = 4_000
REPEATS = {1: 400, 100: 200, 500: 100}


def times(contenders: dict[str, Contender], matrix: Floats, rows: int, repeats: int) -> dict[str, float]:
    """Median milliseconds of one call, all contenders on one slate after the other."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for repeat in range(repeats + 3):
        start = repeat * 37 % (len(matrix) - rows)
        slate = matrix[start : start + rows]
        for name, contender in contenders.items():
            started = time.perf_counter()
            contender.score(slate)
            taken[name].append(time.perf_counter() - started)
    return {name: median(seconds[3:]) * 1e3 for name, seconds in taken.items()}


def agreement(score: Score, hard: Floats, expected: Doubles) -> dict[str, float]:
    """``hard``: (n, f) with LightGBM's scores; n is a multiple of SLATE."""
    got = np.concatenate([score(slate) for slate in np.split(hard, len(hard) // SLATE)])
    order, wanted = (np.argsort(-each.reshape(-1, SLATE), axis=1, kind="stable") for each in (got, expected))
    return {
        "max_difference": float(np.abs(got - expected).max()),
        "equal_scores": float((got == expected).mean()),
        "same_order": float((order == wanted).all(axis=1).mean()),
    }


def measure(lleaves_folder: Path | None) -> dict[str, Any]:
    rng = np.random.default_rng(7)
    booster = model(rng)
    text = booster.model_to_string()
    matrix = rows_of(rng, ROWS)
    hard = hard_rows(rng, read_forest(text), matrix)
    expected = np.asarray(booster.predict(hard, num_threads=1))
    contenders = prepared(text, lleaves_folder)
    result: dict[str, Any] = {
        name: {"compile_s": round(contender.compile_s, 2), **agreement(contender.score, hard, expected)}
        for name, contender in contenders.items()
    }
    for rows, repeats in REPEATS.items():
        for name, value in times(contenders, matrix, rows, repeats).items():
            result[name][f"n{rows}_p50_ms"] = round(value, 4)
        for name, contender in contenders.items():
            alone = times({name: contender}, matrix, rows, repeats)[name]
            result[name][f"n{rows}_alone_p50_ms"] = round(alone, 4)
    return {
        "trees": data.TREES,
        "leaves": data.LEAVES,
        "features": data.FEATURES,
        "distinct_scores": len(np.unique(expected)),
        "rows_compared": len(hard),
        "contenders": result,
    }


def table(result: dict[str, Any]) -> str:
    rows = [f"{count} rows{how}" for count in REPEATS for how in ("", " alone")]
    columns = (*rows, "compile", "largest diff.", "equal", "same order")
    lines = [f"{'':26}" + "".join(f"{column:>16}" for column in columns)]
    for name, found in result["contenders"].items():
        cells = [f"{found[f'n{count}{how}_p50_ms']:.3f} ms" for count in REPEATS for how in ("", "_alone")]
        cells += [f"{found['compile_s']:.1f} s", f"{found['max_difference']:.1e}"]
        cells += [f"{found[share]:.1%}" for share in ("equal_scores", "same_order")]
        lines.append(f"{name:26}" + "".join(f"{cell:>16}" for cell in cells))
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trees", description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    parser.add_argument("--lleaves", type=Path, help="folder that holds lleaves with its llvmlite")
    arguments = parser.parse_args()
    result = measure(arguments.lleaves)
    print(table(result))
    print(f"{result['rows_compared']:,} rows compared, {result['distinct_scores']:,} different scores")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
