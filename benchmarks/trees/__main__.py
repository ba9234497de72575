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
import ctypes
import importlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import lightgbm
import numpy as np

from infra.models.ranker import Doubles, Floats
from infra.models.trees.forest import Forest, read_forest
from infra.models.trees.kernel import kernel
from infra.models.trees.tables import tables_of

TREES, LEAVES, FEATURES = 300, 63, 40
TRAINING_ROWS, ROWS, SLATE = 12_000, 4_000, 500
BOUNDARY_ROWS = 9_000
REPEATS = {1: 400, 100: 200, 500: 100}

Score = Callable[[Floats], Doubles]


@dataclass(frozen=True)
class Contender:
    score: Score
    compile_s: float


def rows_of(rng: np.random.Generator, rows: int) -> Floats:
    """(rows, FEATURES): a quarter of the columns are small counts, a tenth of all values is unknown."""
    matrix = rng.normal(size=(rows, FEATURES))
    matrix[:, ::4] = np.floor(np.abs(matrix[:, ::4]) * 4)
    return np.where(rng.random(matrix.shape) < 0.1, np.nan, matrix).astype(np.float32)


def model(rng: np.random.Generator) -> lightgbm.Booster:
    matrix = rows_of(rng, TRAINING_ROWS)
    known = np.nan_to_num(matrix)
    utility = known @ rng.normal(size=FEATURES) + 3 * known[:, 1] * known[:, 2] + rng.normal(size=len(matrix)) * 3
    labels = np.digitize(utility, np.quantile(utility, [0.6, 0.8, 0.9, 0.97]))
    settings = {"objective": "lambdarank", "num_leaves": LEAVES, "num_threads": 2, "seed": 1, "verbose": -1}
    data = lightgbm.Dataset(matrix, labels, group=[50] * (len(matrix) // 50))
    return lightgbm.train(settings, data, num_boost_round=TREES)


# ----------------------------------------------------------------------------------- contenders


def llvm(text: str) -> Score:
    compiled, tables = kernel(), tables_of(read_forest(text))
    return lambda matrix: compiled.scores(tables, matrix)


def lightgbm_python(text: str) -> Score:
    booster = lightgbm.Booster(model_str=text)
    return lambda matrix: np.asarray(booster.predict(matrix, num_threads=1))


def lightgbm_c(text: str) -> Score:
    """LightGBM's C function on the same booster, without its Python package around each call."""
    booster, library = lightgbm.Booster(model_str=text), lightgbm.basic._LIB

    def score(matrix: Floats) -> Doubles:
        matrix = np.ascontiguousarray(matrix)
        scores, written = np.empty(len(matrix)), ctypes.c_int64()
        _must(
            library.LGBM_BoosterPredictForMat(
                booster._handle,
                matrix.ctypes.data_as(ctypes.c_void_p),
                ctypes.c_int(0),  # float32
                ctypes.c_int32(len(matrix)),
                ctypes.c_int32(FEATURES),
                ctypes.c_int(1),  # row after row
                ctypes.c_int(0),  # the objective's score
                ctypes.c_int(0),
                ctypes.c_int(-1),
                ctypes.c_char_p(b"num_threads=1"),
                ctypes.byref(written),
                scores.ctypes.data_as(ctypes.POINTER(ctypes.c_double)),
            )
        )
        return scores

    return score


def lightgbm_single_row_fast(text: str) -> Score:
    """LightGBM's prepared call for one row, once per row."""
    booster, library = lightgbm.Booster(model_str=text), lightgbm.basic._LIB
    prepared, written = ctypes.c_void_p(), ctypes.c_int64()
    _must(
        library.LGBM_BoosterPredictForMatSingleRowFastInit(
            booster._handle,
            ctypes.c_int(0),
            ctypes.c_int(0),
            ctypes.c_int(-1),
            ctypes.c_int(0),
            ctypes.c_int32(FEATURES),
            ctypes.c_char_p(b"num_threads=1"),
            ctypes.byref(prepared),
        )
    )
    call = library.LGBM_BoosterPredictForMatSingleRowFast

    def score(matrix: Floats) -> Doubles:
        matrix = np.ascontiguousarray(matrix)
        scores = np.empty(len(matrix))
        row, out, length = matrix.ctypes.data, scores.ctypes.data, ctypes.byref(written)
        for i in range(len(matrix)):
            at, to = ctypes.c_void_p(row + 4 * FEATURES * i), ctypes.cast(out + 8 * i, ctypes.POINTER(ctypes.c_double))
            _must(call(prepared, at, length, to))
        return scores

    score.booster = booster  # type: ignore[attr-defined]  # its handle is in `prepared`
    return score


def onnxruntime(text: str) -> Score:
    import onnxruntime
    from onnxmltools.convert import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    shape = [("rows", FloatTensorType([None, FEATURES]))]
    converted = convert_lightgbm(lightgbm.Booster(model_str=text), initial_types=shape, target_opset=15)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(converted.SerializeToString(), options)
    return lambda matrix: session.run(None, {"rows": matrix})[0].ravel().astype(np.float64)


def tl2cgen(text: str) -> Score:
    import tl2cgen
    import treelite

    with tempfile.TemporaryDirectory(prefix="tl2cgen-") as name:
        folder = Path(name)
        (folder / "model.txt").write_text(text)
        translated = treelite.frontend.load_lightgbm_model(folder / "model.txt")
        library = folder / "model.so"
        tl2cgen.export_lib(translated, toolchain="gcc", libpath=library, params={"parallel_comp": 2})
        predictor = tl2cgen.Predictor(library, nthread=1)
    return lambda matrix: predictor.predict(tl2cgen.DMatrix(matrix.astype(np.float64), dtype="float64")).ravel()


def lleaves(text: str, folder: Path, **options: Any) -> Score:
    """``options`` of its compile(); blocks of one tree add the trees in LightGBM's order."""
    with _modules_of(folder, "lleaves", "llvmlite"):
        package = importlib.import_module("lleaves")
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(text)
            file.flush()
            translated = package.Model(file.name)
            translated.compile(**options)
    return lambda matrix: np.asarray(translated.predict(matrix, n_jobs=1))


@contextmanager
def _modules_of(folder: Path, *names: str) -> Iterator[None]:
    """Inside, these packages are those of ``folder``; outside, again the installed ones."""

    def take() -> dict[str, Any]:
        return {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] in names}

    installed = take()
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        take()
        sys.modules.update(installed)


def _must(status: int) -> None:
    if status != 0:
        raise RuntimeError("LightGBM refused the call")


# ------------------------------------------------------------------------------------ measuring


def prepared(text: str, lleaves_folder: Path | None) -> dict[str, Contender]:
    makers: dict[str, Callable[[str], Score]] = {
        "llvm (ours)": llvm,
        "lightgbm": lightgbm_python,
        "lightgbm, C function": lightgbm_c,
        "lightgbm, single row fast": lightgbm_single_row_fast,
        "onnxruntime": onnxruntime,
        "tl2cgen, gcc": tl2cgen,
    }
    if lleaves_folder is not None:
        makers["lleaves"] = lambda text: lleaves(text, lleaves_folder)
        makers["lleaves, one tree a block"] = lambda text: lleaves(text, lleaves_folder, fblocksize=1)
    found = {}
    for name, make in makers.items():
        started = time.perf_counter()
        try:
            score = make(text)
        except ImportError as error:
            print(f"{name} is left out: {error}")
            continue
        found[name] = Contender(score, time.perf_counter() - started)
    return found


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


def hard_rows(rng: np.random.Generator, forest: Forest, base: Floats) -> Floats:
    """Ordinary rows, and rows with one value on a threshold or next to it, shuffled; a multiple of SLATE."""
    features = np.concatenate([tree.feature for tree in forest.trees])
    bounds = np.concatenate([tree.bound for tree in forest.trees])
    chosen = rng.integers(len(bounds), size=BOUNDARY_ROWS)
    towards = rng.choice(np.array([-np.inf, 0, np.inf], np.float32), BOUNDARY_ROWS)
    near = np.where(towards == 0, bounds[chosen], np.nextafter(bounds[chosen], towards))
    around = base[rng.integers(len(base), size=BOUNDARY_ROWS)]
    around[np.arange(BOUNDARY_ROWS), features[chosen]] = near
    rows = rng.permutation(np.concatenate([base, around]))
    return rows[: len(rows) // SLATE * SLATE]


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
        "trees": TREES,
        "leaves": LEAVES,
        "features": FEATURES,
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
