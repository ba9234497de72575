"""Takes :mod:`feature_repo.candidates.sources.next_item` from an export of training.gru4rec.

The exports of a data set are in its folders ``gru4rec``, ``gru4rec_…``. Each says until when it was trained. The newest
one that knew nothing of ``known_at`` or later is taken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from feature_repo.candidates.sources.next_item import NextItem
from feature_repo.datasets.errors import DatasetError
from training.candidates.known_log import KnownLog
from training.gru4rec.errors import SequenceError
from training.gru4rec.folders import Folders
from training.gru4rec.sessions.processed import SPLIT_FILE, Vocabulary

PATTERN = "gru4rec*"
GRAPHS = ("gru4rec.int8.onnx", "gru4rec.onnx")  # the first that exists is the one that was exported to be served


def fit(log: KnownLog, params: Mapping[str, Any]) -> NextItem | None:
    """None without onnxruntime, and without an export that was trained on what was received before ``known_at``.

    Raises DatasetError for an export that cannot be used.
    """
    if find_spec("onnxruntime") is None:
        return None
    folder = export_before(log.log_dir.parent, log.known_at)
    if folder is None:
        return None
    max_length = int(params["max_length"])
    try:
        graph = next((path for name in GRAPHS if (path := folder / name).exists()), folder / GRAPHS[-1])
        codes = log.codes.encode(Vocabulary.load(folder).items)
        found = NextItem(graph.read_bytes(), np.asarray(codes, np.int32), len(log.codes), max_length)
        _ = found.graph  # a damaged file is found before it is registered with a model
    except (OSError, SequenceError, ValueError) as error:
        raise DatasetError(
            f"the export in {folder} cannot be used: {error}; "
            "run `python -m training.gru4rec export_mlflow`, or remove it"
        ) from error
    return found


def export_before(dataset_dir: Path, known_at: datetime) -> Path | None:
    """The folder of the export whose newest event is the latest before ``known_at``."""
    folders = [Folders(root).onnx for root in sorted(dataset_dir.glob(PATTERN))]
    ends = [(end, folder) for folder in folders if (end := _last_event(folder)) is not None and end < known_at]
    return max(ends)[1] if ends else None


def _last_event(folder: Path) -> datetime | None:
    """Of train and validation: validation chose the epoch. None where there is no export, or it does not say."""
    try:
        splits = json.loads((folder / SPLIT_FILE).read_text())["splits"]
        ends = [splits[name]["to"] for name in ("train", "val") if splits[name]["to"] is not None]
        return max(map(datetime.fromisoformat, ends))
    except (OSError, ValueError, KeyError, TypeError):
        return None
