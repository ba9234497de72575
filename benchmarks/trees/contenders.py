"""The ways to score: each takes LightGBM's text of a model and gives a function from rows to scores."""

from __future__ import annotations

import ctypes
import importlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from benchmarks.trees.data import FEATURES
from infra.models.arrays import Doubles, Floats
from infra.models.trees.forest import read_forest
from infra.models.trees.kernel import kernel
from infra.models.trees.tables import tables_of

Score = Callable[[Floats], Doubles]


@dataclass(frozen=True)
class Contender:
    score: Score
    compile_s: float


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
