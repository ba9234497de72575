"""Reads vectors.npz, without pickle: a file that needs it could run any code."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from feature_repo.datasets.errors import BadSource

VECTORS_FILE = "vectors.npz"
ARRAY = "vectors"  # read where the file holds several arrays

Floats = npt.NDArray[np.float32]


def read_vectors(path: Path) -> Floats:
    """(vectors, length) float32. Raises BadSource unless it is one table of finite numbers."""
    try:
        arrays = np.load(path, allow_pickle=False)
        if not isinstance(arrays, np.lib.npyio.NpzFile):
            raise BadSource(path, "is not an npz file")
        with arrays:
            name = _array_name(path, arrays.files)
            found = arrays[name]
        if not isinstance(found, np.ndarray):  # numpy hands out the bytes of what is no array
            raise BadSource(path, "is no array; it must be one array of numbers", column=name)
    except FileNotFoundError as error:
        raise BadSource(path, "the file is missing") from error
    except (OSError, EOFError, MemoryError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        # numpy's own words name allow_pickle, which nobody should switch on.
        problem = "needs pickle, which is not read" if "allow_pickle" in str(error) else str(error)
        raise BadSource(path, f"{problem}; it must be one array of numbers") from error
    if found.ndim != 2 or found.dtype.kind not in "fiu" or 0 in found.shape:
        problem = f"the shape is {found.shape} and the type {found.dtype}; it must be (vectors, length) of numbers"
        raise BadSource(path, problem, column=name)
    with np.errstate(over="ignore"):  # what is too large becomes infinite
        vectors: Floats = found.astype(np.float32, copy=False)
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise BadSource(path, "a number is not finite", column=name, row=row + 1)
    return vectors


def _array_name(path: Path, names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    if ARRAY not in names:
        raise BadSource(path, f"holds the arrays {', '.join(names) or 'none'}; it must hold one, or one named {ARRAY}")
    return ARRAY


def vector_lists(vectors: Floats, rows: npt.NDArray[np.int64]) -> pa.LargeListArray:
    """The chosen vectors as lists of float32, in the order of ``rows``."""
    chosen = vectors[rows]
    offsets = np.arange(len(rows) + 1, dtype=np.int64) * vectors.shape[1]
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(chosen.ravel()))
