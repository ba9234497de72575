"""The training step as a Lightning module.

Lightning's overhead of a training step is about as long as one small step. So one Lightning batch is here
``STEPS_AT_ONCE`` minibatches, each with its own optimiser step.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor

from training.gru4rec.config import TrainConfig
from training.gru4rec.errors import SequenceError
from training.gru4rec.evaluation.next_item_metrics import evaluate
from training.gru4rec.network.adagrad import AdagradMomentum
from training.gru4rec.network.checkpoint import DATA, HISTORY, HYPERPARAMETERS, SETTINGS
from training.gru4rec.network.gru4rec import Gru4Rec
from training.gru4rec.network.gru_scorer import GruScorer
from training.gru4rec.network.losses import bpr_max, cross_entropy, log_q
from training.gru4rec.network.minibatches import Minibatches, Step
from training.gru4rec.network.negatives import NegativeSampler
from training.gru4rec.sessions.processed import Longs, Sessions

STEPS_AT_ONCE = 16
MONITORED = "val_mrr_at_20"


@dataclass(frozen=True)
class StepRuns:
    """Minibatches in groups of ``STEPS_AT_ONCE``, in order."""

    minibatches: Minibatches

    def __len__(self) -> int:
        return -(-len(self.minibatches) // STEPS_AT_ONCE)

    def __iter__(self) -> Iterator[list[Step]]:
        steps = len(self.minibatches)
        for first in range(0, steps, STEPS_AT_ONCE):
            yield [self.minibatches[i] for i in range(first, min(first + STEPS_AT_ONCE, steps))]


class Gru4RecModule(lightning.LightningModule):
    """``counts``: (n_items,) support in train. ``history``: one row per finished epoch. ``fingerprint``: of the train
    sessions. An epoch is the same after an interruption, because its random numbers depend only on the seed and its
    number.
    """

    def __init__(
        self,
        network: Gru4Rec,
        counts: Longs,
        config: TrainConfig,
        validation: Sessions | None = None,
        fingerprint: str = "",
    ) -> None:
        super().__init__()
        self._fingerprint = fingerprint
        self.validation = validation
        self.history: list[dict[str, float]] = []
        self.automatic_optimization = False
        self.network, self.config = network, config
        self._counts = counts
        self._support = torch.from_numpy(np.maximum(counts, 1)).to(torch.float32)
        self._hidden = network.start(config.batch_size)
        self._loss, self._events, self._started = torch.zeros(()), 0, 0.0
        self._negatives = self._sampler(0)

    def configure_optimizers(self) -> AdagradMomentum:
        return AdagradMomentum(self.network.parameters(), self.config.learning_rate, self.config.momentum)

    def _sampler(self, epoch: int) -> NegativeSampler:
        config = self.config
        return NegativeSampler(self._counts, config.n_samples, config.sample_alpha, (config.seed, epoch))

    def on_train_epoch_start(self) -> None:
        torch.manual_seed(int(np.random.SeedSequence((self.config.seed, self.current_epoch)).generate_state(1)[0]))
        self._negatives = self._sampler(self.current_epoch)
        self._hidden = self.network.start(self.config.batch_size)
        self._loss, self._events, self._started = torch.zeros(()), 0, time.monotonic()

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return batch  # NumPy arrays; loss() makes the tensors

    def training_step(self, batch: list[Step]) -> None:
        optimizer: Any = self.optimizers()
        for step in batch:
            loss = self.loss(step)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            self._loss += loss.detach()
            self._events += len(step.targets)

    def loss(self, step: Step) -> Tensor:
        """The loss of one step, which moves the rows' states on by one event. Earlier states get no gradient."""
        rows, network = len(step.inputs), self.network
        continues = torch.from_numpy(~step.begins).unsqueeze(1)
        hidden = self._hidden[:rows].detach() * continues
        inputs, targets = torch.from_numpy(step.inputs), torch.from_numpy(step.targets)
        negatives = torch.from_numpy(self._negatives.draw())
        columns = torch.cat((targets, negatives))
        # One look-up for inputs and columns, so that a row of the embedding gets the sum of its gradients.
        embedded = network.embedding(torch.cat((inputs, columns)))
        self._hidden = network.step_embedded(embedded[:rows], hidden)
        scores = network.scores_of(self._hidden, embedded[rows:], network.bias(columns))
        if self.config.loss == "bpr_max":
            return bpr_max(scores, self.config.batch_size, self.config.bpr_penalty)
        if self.config.logq:
            frequency = log_q(self._support[targets], self._support[negatives], self.config.sample_alpha)
            scores = scores - self.config.logq * frequency
        return cross_entropy(scores, self.config.batch_size)

    def on_train_epoch_end(self) -> None:
        seconds = time.monotonic() - self._started
        loss = float(self._loss) * self.config.batch_size / max(1, self._events)
        if not np.isfinite(loss):
            raise SequenceError(f"the loss of epoch {self.current_epoch + 1} is {loss}: lower train.learning_rate")
        epoch = {"epoch": self.current_epoch + 1, "loss": loss, "seconds": seconds}
        epoch["events_per_s"] = self._events / seconds
        if self.validation is not None:
            evaluation = evaluate(GruScorer(self.network.eval()), self.validation)
            self.network.train()
            epoch |= {"val_recall_at_20": evaluation.recall(20), MONITORED: evaluation.mrr(20)}
            self.log(MONITORED, epoch[MONITORED])
        self.history.append(epoch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint |= {HYPERPARAMETERS: self.network.hyperparameters, SETTINGS: asdict(self.config)}
        checkpoint |= {HISTORY: self.history, DATA: self._fingerprint}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = list(checkpoint[HISTORY])
