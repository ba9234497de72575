"""The folder that MLflow serves: code, graph and vocabulary, with signature and pinned requirements."""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.environment_variables import MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR
from mlflow.models import ModelSignature
from mlflow.types.schema import Array, ColSpec, DataType, ParamSchema, ParamSpec, Schema

from training.gru4rec.sessions.processed import VOCABULARY_FILE

DEFAULT_K = 20
REQUIREMENTS = ("mlflow", "numpy", "onnxruntime", "pandas")
MAX_ID = 2**63


def save_model(
    folder: Path, *, graph: Path, processed: Path, items: Sequence[str], top_k: int, max_length: int
) -> None:
    """Write the model to ``folder``, atomically. An earlier model is replaced.

    ``processed``: the folder with the vocabulary of ``items``.
    """
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    integers = are_integers(items)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        written = Path(temporary) / "new"
        mlflow.pyfunc.save_model(
            written,
            python_model=str(Path(__file__).with_name("pyfunc_model.py")),
            artifacts={"graph": str(graph), "vocabulary": str(processed / VOCABULARY_FILE)},
            model_config={"max_length": max_length, "top_k": top_k, "integer_ids": integers},
            signature=signature(integers, min(DEFAULT_K, top_k)),
            # MLflow predicts it before it saves, so a model that does not load or predict is not exported.
            input_example=pd.DataFrame({"session": [[int(item) if integers else item for item in items[:3]]]}),
            pip_requirements=[f"{name}=={version(name).partition('+')[0]}" for name in REQUIREMENTS],
        )
        if folder.exists():
            folder.rename(Path(temporary) / "old")
        written.rename(folder)


def are_integers(items: Sequence[str]) -> bool:
    """Whether all ids are 64-bit integers in the form in which str() writes them."""
    return all(re.fullmatch(r"0|-?[1-9][0-9]{0,18}", item) and -MAX_ID <= int(item) < MAX_ID for item in items)


def signature(integer_ids: bool, default_k: int) -> ModelSignature:
    """Input: a list of ids. Output: a list of ids and a list of scores. Ids are longs or strings."""
    item = DataType.long if integer_ids else DataType.string
    return ModelSignature(
        inputs=Schema([ColSpec(Array(item), "session")]),
        outputs=Schema([ColSpec(Array(item), "recommendations"), ColSpec(Array(DataType.double), "scores")]),
        params=ParamSchema(
            [
                ParamSpec("k", DataType.long, default_k),
                ParamSpec("exclude_seen", DataType.boolean, False),
            ]
        ),
    )
