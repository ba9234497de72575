"""Checks whether a run can be resumed from a checkpoint."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path

from training.gru4rec.config import ModelConfig, TrainConfig
from training.gru4rec.errors import BadCheckpoint
from training.gru4rec.network.checkpoint import DATA, HISTORY, HYPERPARAMETERS, SETTINGS, read_checkpoint
from training.gru4rec.sessions.processed import Sessions

MAY_CHANGE = {"epochs", "patience", "threads", "resume", "mlflow"}  # between a run and its continuation


def resumable(path: Path, model: ModelConfig, config: TrainConfig, train: Sessions, n_items: int) -> Path:
    """Returns ``path``. Raises BadCheckpoint if it is of another run or of a finished one."""
    found = read_checkpoint(path)
    wanted = {**asdict(model), "n_items": n_items, **asdict(config)}
    for name, value in {**found[HYPERPARAMETERS], **found[SETTINGS]}.items():
        if name not in MAY_CHANGE and wanted.get(name) != value:
            raise BadCheckpoint(f"{path} was trained with {name} {value}, not {wanted.get(name)}: it cannot be resumed")
    if found[DATA] != fingerprint(train):
        raise BadCheckpoint(f"{path} was trained on other sessions: it cannot be resumed after another preprocess")
    done = len(found[HISTORY])
    if done >= config.epochs:
        raise BadCheckpoint(
            f"{path} is of epoch {done} of {config.epochs}: nothing is left to resume; raise train.epochs"
        )
    return path


def fingerprint(sessions: Sessions) -> str:
    """A digest of the sessions' vocabulary indices and lengths."""
    return hashlib.sha256(sessions.starts.tobytes() + sessions.items.tobytes()).hexdigest()
