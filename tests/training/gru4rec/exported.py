"""A small random network as an MLflow model, and its answers computed with PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from training.gru4rec.export.mlflow_model import save_model
from training.gru4rec.export.onnx_graph import export_graph
from training.gru4rec.network.gru4rec import Gru4Rec
from training.gru4rec.sessions.processed import Vocabulary

N_ITEMS, TOP_K, MAX_LENGTH = 12, 10, 4
INTEGER_IDS = tuple(str(100 + i) for i in range(N_ITEMS))
TEXT_IDS = tuple(f"item-{i}" for i in range(N_ITEMS))
COUNTS = np.array([5, 9, 1, 7, 2, 2, 8, 3, 4, 6, 1, 10])
POPULAR = [11, 1, 6, 3, 9, 0, 8, 7, 4, 5]  # by COUNTS; 4 and 5 are tied, so the first comes first


@dataclass(frozen=True)
class Exported:
    folder: Path
    network: Gru4Rec

    def ranked(self, *session: int) -> list[tuple[int, float]]:
        """(item, score) of all items after ``session``, best first."""
        items = torch.tensor([session])
        with torch.inference_mode():
            scores = self.network.scores(self.network(items, torch.tensor([len(session)])))[0]
        return sorted(enumerate(scores.tolist()), key=lambda pair: -pair[1])


def export(folder: Path, ids: tuple[str, ...]) -> Exported:
    """Export the model to ``folder``/model."""
    torch.manual_seed(11)
    network = Gru4Rec(N_ITEMS, 8).eval()
    folder.mkdir()
    Vocabulary(ids, COUNTS).save(folder)
    export_graph(network, folder / "graph.onnx", opset=17, max_length=MAX_LENGTH)
    save_model(
        folder / "model",
        graph=folder / "graph.onnx",
        processed=folder,
        items=ids,
        top_k=TOP_K,
        max_length=MAX_LENGTH,
    )
    return Exported(folder / "model", network)
