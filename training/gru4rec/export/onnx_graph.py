"""Export of the network as an ONNX graph (:mod:`infra.models.next_item_graph`).

No graph is written before its scores equal PyTorch's.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

from infra.models.next_item_graph import INPUTS, OUTPUTS, Graph, best_of, open_graph, padded
from training.gru4rec.errors import SequenceError
from training.gru4rec.network.gru4rec import Gru4Rec

TOLERANCE = 1e-4  # of a score, relative to the highest


class TopK(nn.Module):
    """The network followed by a top K."""

    def __init__(self, network: Gru4Rec) -> None:
        super().__init__()
        self.network = network

    def forward(self, items: Tensor, lengths: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.network.scores(self.network(items, lengths))
        # topk is typed to take an int, but with the tensor k stays an input of the traced graph.
        best, indices = torch.topk(scores, cast(int, k), dim=1)
        return best, indices


def export_graph(network: Gru4Rec, path: Path, *, opset: int, max_length: int) -> float:
    """Write the graph to ``path``, atomically. Returns the max difference of a score from PyTorch's, relative to the
    highest score. Raises SequenceError if the difference is above TOLERANCE."""
    # After the export the exporter sets all submodules to the mode of TopK, so set it to eval as well.
    graph = TopK(network).eval()
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.") as folder:
        written = Path(folder) / path.name
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # of the exporter's deprecation, and of a batch size that it takes as fixed
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
                # Folding would store a second, transposed copy of the item matrix, which the runtime does not need.
                do_constant_folding=False,
                # The dynamo exporter fails on the second graph of dynamic length in one process.
                dynamo=False,
            )
        difference = parity(network, open_graph(written), max_length)
        written.replace(path)
    return difference


def parity(network: Gru4Rec, graph: Graph, max_length: int) -> float:
    """Compare the graph with PyTorch: each length alone, then all lengths in one padded batch. Raises SequenceError."""
    sessions = _random_sessions(network.n_items, max_length)
    batches = [*([session] for session in sessions), sessions]
    k = min(100, network.n_items)
    return max(_difference(network, graph, batch, k) for batch in batches)


def overlap(full: Graph, other: Graph, sessions: Sequence[Sequence[int]], k: int) -> float:
    """Mean share of the best ``k`` items that both graphs return; k at most n_items."""
    shared = [
        len(np.intersect1d(best_of(full, [session], k)[1], best_of(other, [session], k)[1])) / k for session in sessions
    ]
    return float(np.mean(shared))


def quantized(path: Path, target: Path) -> None:
    """Write an int8 copy of the graph to ``target``, atomically. The item matrix is stored in int8; the range of the
    activations is measured at run time."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.stem}.") as folder:
        written = Path(folder) / target.name
        logging.disable(logging.WARNING)  # the quantizer advises to infer shapes first; this graph does not need it
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
    """Give the scoring layer its own copy of the item matrix, because the quantizer transposes it in place."""
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


def _difference(network: Gru4Rec, graph: Graph, sessions: Sequence[Sequence[int]], k: int) -> float:
    items, lengths = padded(sessions)
    with torch.inference_mode():
        full = network.scores(network(torch.from_numpy(items), torch.from_numpy(lengths))).numpy()
    scores, indices = best_of(graph, sessions, k)
    expected = -np.sort(-full, axis=1)[:, :k]
    scale = max(float(np.abs(full).max()), 1e-12)
    # The scores must be the highest ones, and must belong to the returned items.
    difference = max(
        float(np.abs(scores - expected).max()), float(np.abs(scores - np.take_along_axis(full, indices, 1)).max())
    )
    if not difference <= TOLERANCE * scale:
        raise SequenceError(
            f"the exported graph differs from PyTorch by {difference:.3g} at lengths {lengths.tolist()} "
            f"(highest score {scale:.3g}): not exported"
        )
    return difference / scale
