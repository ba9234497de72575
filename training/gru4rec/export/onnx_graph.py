"""The network as an ONNX graph that answers the best K, checked against PyTorch before anybody gets it.

    items    (batch, length) int64   vocabulary indices, padded at the right with any of them
    lengths  (batch,) int64          of at least 1
    k        () int64                at most n_items
    scores   (batch, k) float32      falling
    indices  (batch, k) int64        the items they belong to

Batch, length and k are free in every call.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

from training.gru4rec.errors import SequenceError
from training.gru4rec.network.gru4rec import Gru4Rec

INPUTS, OUTPUTS = ("items", "lengths", "k"), ("scores", "indices")
TOLERANCE = 1e-4  # of a score, relative to the largest

Session: TypeAlias = onnxruntime.InferenceSession
Longs: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float32]


class TopK(nn.Module):
    """The network, and the K best of its scores."""

    def __init__(self, network: Gru4Rec) -> None:
        super().__init__()
        self.network = network

    def forward(self, items: Tensor, lengths: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.network.scores(self.network(items, lengths))
        # Traced, the tensor stays an input of the graph; its type says that topk takes a number only.
        best, indices = torch.topk(scores, cast(int, k), dim=1)
        return best, indices


def export_graph(network: Gru4Rec, path: Path, *, opset: int, max_length: int) -> float:
    """Write the graph to ``path``, complete or not at all. Returns the largest difference of a score to PyTorch's,
    relative to the largest score. Raises SequenceError where they disagree."""
    # All of it in eval mode: the exporter puts the whole back into the mode in which it found the outermost.
    graph = TopK(network).eval()
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.") as folder:
        written = Path(folder) / path.name
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter(
                "ignore"
            )  # the exporter's, of its own deprecation and of a batch that it thinks fixed
            torch.onnx.export(
                graph,
                (torch.tensor([[0, 0, 0], [0, 0, 0]]), torch.tensor([3, 2]), torch.tensor(1)),
                str(written),
                input_names=list(INPUTS),
                output_names=list(OUTPUTS),
                dynamic_axes={
                    "items": {0: "batch", 1: "length"},
                    "lengths": {0: "batch"},
                    "scores": {0: "batch", 1: "k"},
                    "indices": {0: "batch", 1: "k"},
                },
                opset_version=opset,
                # Folding would store the item matrix a second time, transposed; the runtime needs no such copy.
                do_constant_folding=False,
                # The other exporter fails on the second graph of dynamic length in one process.
                dynamo=False,
            )
        difference = parity(network, open_graph(written), max_length)
        written.replace(path)
    return difference


def open_graph(path: Path) -> Session:
    """One thread: a batch of one is too small to share."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def best_of(graph: Session, sessions: Sequence[Sequence[int]], k: int) -> tuple[Floats, Longs]:
    """(scores, indices), (len(sessions), k) each."""
    items, lengths = padded(sessions)
    scores, indices = graph.run(list(OUTPUTS), {"items": items, "lengths": lengths, "k": np.array(k)})
    return scores, indices


def padded(sessions: Sequence[Sequence[int]]) -> tuple[Longs, Longs]:
    """items (batch, longest) with zeros at the right, lengths (batch,)."""
    lengths = np.array([len(session) for session in sessions], dtype=np.int64)
    items = np.zeros((len(sessions), int(lengths.max())), dtype=np.int64)
    for row, session in zip(items, sessions, strict=True):
        row[: len(session)] = session
    return items, lengths


def parity(network: Gru4Rec, graph: Session, max_length: int) -> float:
    """The graph against PyTorch: each length alone, then all lengths in one padded batch. Raises SequenceError."""
    sessions = _random_sessions(network.n_items, max_length)
    batches = [*([session] for session in sessions), sessions]
    k = min(100, network.n_items)
    return max(_difference(network, graph, batch, k) for batch in batches)


def overlap(full: Session, other: Session, sessions: Sequence[Sequence[int]], k: int) -> float:
    """The mean share of the best ``k`` items that both graphs name; k at most n_items."""
    shared = [
        len(np.intersect1d(best_of(full, [session], k)[1], best_of(other, [session], k)[1])) / k for session in sessions
    ]
    return float(np.mean(shared))


def quantized(path: Path, target: Path) -> None:
    """Write an int8 copy of the graph: the item matrix in int8, activations measured as it runs; complete or not at
    all."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.stem}.") as folder:
        written = Path(folder) / target.name
        logging.disable(logging.WARNING)  # it advises to infer shapes first, which this graph has no need of
        try:
            quantize_dynamic(
                _unshared(onnx.load(path)),
                written,
                op_types_to_quantize=["Gather", "Gemm", "MatMul"],
                weight_type=QuantType.QInt8,
                extra_options={"MatMulConstBOnly": True},
            )
        finally:
            logging.disable(logging.NOTSET)
        written.replace(target)


def _unshared(model: onnx.ModelProto) -> onnx.ModelProto:
    """The matrix that is read and the one that scores as two: the quantizer transposes the latter where it stands."""
    matrices = {matrix.name: matrix for matrix in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Gemm" and node.input[1] in matrices:
            copy = onnx.TensorProto()
            copy.CopyFrom(matrices[node.input[1]])
            copy.name = node.input[1] = f"{copy.name}.scoring"
            model.graph.initializer.append(copy)
    return model


def _random_sessions(n_items: int, max_length: int) -> list[list[int]]:
    rng = np.random.default_rng(0)
    lengths = sorted({length for length in (1, 2, 3, 5, 10, 20, max_length) if length <= max_length})
    return [rng.integers(0, n_items, length).tolist() for length in lengths]


def _difference(network: Gru4Rec, graph: Session, sessions: Sequence[Sequence[int]], k: int) -> float:
    items, lengths = padded(sessions)
    with torch.inference_mode():
        full = network.scores(network(torch.from_numpy(items), torch.from_numpy(lengths))).numpy()
    scores, indices = best_of(graph, sessions, k)
    expected = -np.sort(-full, axis=1)[:, :k]
    scale = max(float(np.abs(full).max()), 1e-12)
    # The scores must be the best ones, and must be those of the items that they are said to be of.
    difference = max(
        float(np.abs(scores - expected).max()), float(np.abs(scores - np.take_along_axis(full, indices, 1)).max())
    )
    if not difference <= TOLERANCE * scale:
        raise SequenceError(
            f"the exported graph differs from PyTorch by {difference:.3g} at lengths {lengths.tolist()} "
            f"(largest score {scale:.3g}): not exported"
        )
    return difference / scale
