"""Fits :mod:`feature_repo.candidates.sources.nearest_titles`: the exact nearest neighbours of each item with a vector.

The vectors are in ``item_vectors.parquet`` beside the log: item_id string, vector list<float32>, all of one length.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from feature_repo.candidates.inner_products import InnerProducts
from feature_repo.candidates.item_codes import UNKNOWN, Codes, ItemCodes
from feature_repo.candidates.ragged import Ragged
from feature_repo.candidates.seeds import SeedWeights
from feature_repo.candidates.sources.nearest_titles import NearestTitles
from feature_repo.candidates.sparse_table import SparseTable
from feature_repo.datasets.errors import DatasetError
from infra.models.arrays import Floats, Integers
from training.candidates.known_log import KnownLog

VECTORS_FILE = "item_vectors.parquet"


def fit(log: KnownLog, params: Mapping[str, Any]) -> NearestTitles | None:
    """None where the data set has no vectors of known items. Raises DatasetError for a bad file."""
    path = log.log_dir / VECTORS_FILE
    if not path.exists():
        return None
    items, vectors = unit_vectors(path, log.codes)
    if not len(items):
        return None
    asked = _most_used(log, items, int(params["seed_items"]))
    found = InnerProducts(vectors).best(vectors[asked].astype(np.float64), int(params["neighbours"]) + 1)
    rows, near = items[asked][found.lists.rows], items[found.items]
    used = np.flatnonzero((rows != near) & (found.scores > 0))
    lists = Ragged.of_lengths(np.bincount(rows[used], minlength=len(log.codes)))
    table = SparseTable(lists, near[used], found.scores[used], len(log.codes))
    return NearestTitles(table, SeedWeights(**params["seeds"]))


def _most_used(log: KnownLog, items: Codes, limit: int) -> Integers:
    """Positions in ``items``, ascending, of the ``limit`` with the most events: the exact neighbours of an item among
    100,000 take 2 ms, and items without events are seldom seeds."""
    counted = log.connection.execute("SELECT code, count(*) AS events FROM known_events GROUP BY code").fetchnumpy()
    events = np.zeros(len(log.codes), np.int64)
    events[np.asarray(counted["code"], np.int64)] = counted["events"]
    return np.sort(np.argsort(-events[items], kind="stable")[:limit])


def unit_vectors(path: Path, codes: ItemCodes) -> tuple[Codes, Floats]:
    """(m,) codes, ascending, and (m, f) vectors of length 1. Items without a vector or with a zero one are left out."""
    table = pq.read_table(path, columns=["item_id", "vector"])
    lists = table["vector"].combine_chunks()
    lengths = pc.unique(lists.value_lengths().drop_null()).to_pylist()
    if lists.null_count or lists.flatten().null_count or len(lengths) > 1:
        raise DatasetError(f"{path}: a vector is missing, or vectors differ in length")
    width = lengths[0] if lengths else 0
    vectors = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float32).reshape(-1, width)
    items = codes.encode_arrow(table["item_id"].combine_chunks())
    if not np.isfinite(vectors).all() or len(np.unique(items[items != UNKNOWN])) != (items != UNKNOWN).sum():
        raise DatasetError(f"{path}: a value is not finite, or an item occurs twice")
    norms = np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=1))
    used = np.flatnonzero((items != UNKNOWN) & (norms > 0))
    used = used[np.argsort(items[used])]
    return items[used], (vectors[used] / norms[used, None]).astype(np.float32)
