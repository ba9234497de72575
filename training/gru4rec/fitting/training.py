"""``python -m training.gru4rec train``: fit the network."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, TQDMProgressBar

from infra.settings import Settings
from training.gru4rec.config import Gru4RecConfig, ModelConfig, TrainConfig
from training.gru4rec.errors import SplitError
from training.gru4rec.fitting.best_and_last import BestAndLast, EpochDone
from training.gru4rec.fitting.lightning_module import MONITORED, Gru4RecModule, StepRuns
from training.gru4rec.fitting.resuming import fingerprint, resumable
from training.gru4rec.folders import Folders
from training.gru4rec.network.checkpoint import LAST
from training.gru4rec.network.gru4rec import Gru4Rec
from training.gru4rec.network.minibatches import session_parallel
from training.gru4rec.sessions.processed import Longs, Sessions, Vocabulary, load_split
from training.gru4rec.tracking import Run

REPORT_FILE = "training.json"


@dataclass(frozen=True)
class Trained:
    """``network``: of the last epoch. ``history``: one row per epoch, including those before an interruption."""

    network: Gru4Rec
    history: list[dict[str, float]]
    best_epoch: int


def fit(
    train: Sessions,
    counts: Longs,
    model: ModelConfig,
    config: TrainConfig,
    folder: Path,
    *,
    validation: Sessions | None = None,
    progress: bool = True,
    epoch_done: EpochDone | None = None,
) -> Trained:
    """Train on ``train`` and write checkpoints to ``folder``. With ``config.resume`` continue from its last.ckpt.

    ``counts``: (n_items,) support. ``epoch_done`` is called with the history after each epoch.
    Sets torch's threads and random seed. Raises SequenceError.
    """
    resumed = resumable(folder / LAST, model, config, train, len(counts)) if config.resume else None
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    network = Gru4Rec(len(counts), model.hidden_size, model.dropout_embedding, model.dropout_hidden)
    module = Gru4RecModule(network, counts, config, validation, fingerprint(train))
    minibatches = session_parallel(train, config.batch_size)
    if not minibatches.events:
        raise SplitError("train has no session of two items")
    folder.mkdir(parents=True, exist_ok=True)
    if resumed is None:
        (folder / LAST).unlink(missing_ok=True)  # of an earlier run, which resume=true must not continue
    checkpoints = BestAndLast(folder, epoch_done)
    _trainer(folder, config, checkpoints, validation is not None, progress).fit(
        module, StepRuns(minibatches), ckpt_path=resumed, weights_only=True
    )
    return Trained(network, module.history, checkpoints.best_epoch)


def _trainer(
    folder: Path,
    config: TrainConfig,
    checkpoints: BestAndLast,
    validated: bool,
    progress: bool,
) -> lightning.Trainer:
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)  # hides tips and hardware facts
    warnings.filterwarnings("ignore", ".*LeafSpec.*")  # caused by Lightning itself
    callbacks: list[Callback] = [checkpoints]
    if progress:
        callbacks.append(TQDMProgressBar(refresh_rate=10))
    if validated and config.patience:
        callbacks.append(EarlyStopping(MONITORED, mode="max", patience=config.patience, check_on_train_epoch_end=True))
    return lightning.Trainer(
        accelerator="cpu",
        max_epochs=config.epochs,
        logger=False,
        callbacks=callbacks,
        default_root_dir=folder,
        enable_model_summary=False,
        enable_progress_bar=progress,
    )


# ------------------------------------------------------------------------------------- the command


def run(config: Gru4RecConfig, settings: Settings) -> None:
    """Write artifacts/checkpoints and reports/training.json, and log a run in MLflow. Raises SequenceError."""
    folders = config.folders(settings)
    vocabulary = Vocabulary.load(folders.processed)
    train, validation = load_split(folders.processed, "train"), load_split(folders.processed, "val")
    validated = bool(validation.lengths.max(initial=0) > 1)
    if config.train.resume:  # check it before any file or MLflow run is changed
        resumable(folders.checkpoints / LAST, config.model, config.train, train, len(vocabulary))
    report: dict[str, Any] = {
        "dataset": settings.dataset,
        "events": len(train.items),
        "sessions": len(train),
        "items": len(vocabulary),
        "model": asdict(config.model),
        "train": asdict(config.train),
        "validated": validated,
        "mlflow_run_id": None,
        "epochs": [],
    }
    tracked = _tracked(report, folders, config, settings)

    def epoch_done(history: list[dict[str, float]]) -> None:
        print(_line(history[-1], config.train.epochs), flush=True)
        if tracked is not None:
            tracked.log_epoch(history[-1])
        _write(folders, {**report, "epochs": history})

    try:
        trained = fit(
            train,
            vocabulary.counts,
            config.model,
            config.train,
            folders.checkpoints,
            validation=validation if validated else None,
            progress=sys.stderr.isatty(),
            epoch_done=epoch_done,
        )
    except BaseException as error:
        # Lightning raises SystemExit for a KeyboardInterrupt.
        interrupted = isinstance(error, KeyboardInterrupt | SystemExit)
        if tracked is not None:
            tracked.finish("KILLED" if interrupted else "FAILED")
        if interrupted:
            print("interrupted: train.resume=true continues after the last complete epoch", file=sys.stderr)
        raise
    _write(folders, {**report, "epochs": trained.history, "best_epoch": trained.best_epoch})
    if tracked is not None:
        tracked.finish()
    print(f"best epoch {trained.best_epoch}; checkpoints in {folders.checkpoints}")


def _tracked(report: dict[str, Any], folders: Folders, config: Gru4RecConfig, settings: Settings) -> Run | None:
    """The MLflow run; a resumed training continues its earlier one. Its id is put into ``report``."""
    if not config.train.mlflow:
        return None
    known = _earlier_run(folders) if config.train.resume else None
    tracked = Run(settings, known)
    report["mlflow_run_id"] = tracked.run_id
    if known is None:
        tracked.log_settings({**report["model"], **report["train"]})
    return tracked


def _earlier_run(folders: Folders) -> str | None:
    try:
        found = json.loads((folders.reports / REPORT_FILE).read_text())["mlflow_run_id"]
    except (OSError, ValueError, KeyError):
        return None
    return str(found) if found else None


def _write(folders: Folders, report: dict[str, Any]) -> None:
    folders.reports.mkdir(parents=True, exist_ok=True)
    part = folders.reports / f".{REPORT_FILE}.part"
    part.write_text(json.dumps(report, indent=2) + "\n")
    part.replace(folders.reports / REPORT_FILE)


def _line(epoch: dict[str, float], epochs: int) -> str:
    shown = f"epoch {epoch['epoch']}/{epochs}  loss {epoch['loss']:.4f}  {epoch['events_per_s']:,.0f} events/s"
    if MONITORED in epoch:
        shown += f"  validation recall@20 {epoch['val_recall_at_20']:.4f}  mrr@20 {epoch[MONITORED]:.4f}"
    return shown
