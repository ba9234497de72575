"""Writing the checkpoints of a run, each atomically."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Checkpoint

from training.gru4rec.fitting.lightning_module import MONITORED, Gru4RecModule
from training.gru4rec.network.checkpoint import BEST, LAST

EpochDone = Callable[[list[dict[str, float]]], None]


class BestAndLast(Checkpoint):
    """Writes last.ckpt after each epoch, and best.ckpt if validation got better or there is no validation.

    Then ``epoch_done`` is called with the history. Lightning calls a Checkpoint after all other callbacks of an
    epoch's end, so the file has their results too.
    """

    def __init__(self, folder: Path, epoch_done: EpochDone | None = None) -> None:
        self.folder = folder
        self._epoch_done = epoch_done
        self.best_score = float("-inf")
        self.best_epoch = 0

    def state_dict(self) -> dict[str, Any]:
        return {"best_score": self.best_score, "best_epoch": self.best_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best_score, self.best_epoch = state_dict["best_score"], state_dict["best_epoch"]

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        found = trainer.callback_metrics.get(MONITORED, torch.tensor(torch.inf))
        better = float(found) > self.best_score or MONITORED not in trainer.callback_metrics
        if better:
            self.best_score, self.best_epoch = float(found), trainer.current_epoch + 1
        part = self.folder / f".{LAST}.part"
        trainer.save_checkpoint(part)
        if better:
            copy = self.folder / f".{BEST}.part"
            shutil.copyfile(part, copy)
            copy.replace(self.folder / BEST)
        # This is the last step, so that after an interruption the epoch runs again, with the same result.
        part.replace(self.folder / LAST)
        if self._epoch_done is not None and isinstance(pl_module, Gru4RecModule):
            self._epoch_done(pl_module.history)
