"""The exported next-item model: an ONNX graph that returns the K items with the highest scores.

    items    (batch, length) int64   vocabulary indices, padded at the right with any of them
    lengths  (batch,) int64          at least 1
    k        () int64                at most n_items
    scores   (batch, k) float32      descending
    indices  (batch, k) int64        the items of these scores

Batch, length and k may differ in each call.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import onnxruntime

INPUTS, OUTPUTS = ("items", "lengths", "k"), ("scores", "indices")

Graph: TypeAlias = onnxruntime.InferenceSession
Longs: TypeAlias = npt.NDArray[np.int64]
Scores: TypeAlias = npt.NDArray[np.float32]


def open_graph(model: Path | bytes) -> Graph:
    """Of a file or its content. The graph runs on one thread, because a batch of one session is too small for two."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
    )


def best_of(graph: Graph, sessions: Sequence[Sequence[int]], k: int) -> tuple[Scores, Longs]:
    """(scores, indices) of the best ``k`` items, (len(sessions), k) each."""
    items, lengths = padded(sessions)
    scores, indices = graph.run(list(OUTPUTS), {"items": items, "lengths": lengths, "k": np.array(k)})
    return scores, indices


def padded(sessions: Sequence[Sequence[int]]) -> tuple[Longs, Longs]:
    """items (batch, max length) with zeros at the right, lengths (batch,)."""
    lengths = np.array([len(session) for session in sessions], dtype=np.int64)
    items = np.zeros((len(sessions), int(lengths.max())), dtype=np.int64)
    for row, session in zip(items, sessions, strict=True):
        row[: len(session)] = session
    return items, lengths
