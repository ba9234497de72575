"""The folders that the commands read and write, all below one root."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folders:
    """``root``: the folder of a data set's sequence model."""

    root: Path

    @property
    def processed(self) -> Path:
        """train.parquet, val.parquet, test.parquet, vocab.json, split.json."""
        return self.root / "data" / "processed"

    @property
    def checkpoints(self) -> Path:
        return self.root / "artifacts" / "checkpoints"

    @property
    def onnx(self) -> Path:
        return self.root / "artifacts" / "onnx"

    @property
    def mlflow_model(self) -> Path:
        return self.root / "artifacts" / "mlflow_model"

    @property
    def plots(self) -> Path:
        return self.root / "plots"

    @property
    def reports(self) -> Path:
        return self.root / "reports"
