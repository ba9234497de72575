"""Events per second of a training step: ours under Lightning, beside the plainest PyTorch loop that does the same.

    python -m benchmarks.sequence_training [--json FILE] [--items N] [--sessions N]

The plain loop knows nothing of this project's step: sessions in Python lists, torch's own embedding, GRU cell,
softmax cross-entropy, multinomial sampling and Adagrad. The same step: 64 sessions at once, 100 hidden units, 512
samples by support^0.5, logQ, one optimiser step per minibatch. Both walk through the same sessions, in turns, one
thread each, after a warm-up; an epoch's median counts.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from training.gru4rec.config import ModelConfig, TrainConfig
from training.gru4rec.fitting.training import fit
from training.gru4rec.sessions.processed import Longs, Sessions

BATCH, HIDDEN, SAMPLES, ALPHA, RATE = 64, 100, 512, 0.5, 0.1
REPEATS = 5


def made_up(n_items: int, n_sessions: int, seed: int = 1) -> tuple[Sessions, Longs]:
    """Short sessions of Zipf-distributed items, and each item's support."""
    random = np.random.default_rng(seed)
    lengths = 2 + random.geometric(0.5, n_sessions)
    weights = 1.0 / np.arange(1, n_items + 1)
    items = random.choice(n_items, lengths.sum(), p=weights / weights.sum()).astype(np.int32)
    starts = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    sessions = Sessions(items, starts, np.arange(len(items), dtype=np.int64))
    return sessions, np.bincount(items, minlength=n_items).astype(np.int64)


def plain_epoch(sessions: Sessions, counts: Longs) -> float:
    """Seconds of one epoch."""
    queue = [session.tolist() for session in (sessions[i] for i in range(len(sessions)))]
    support = torch.from_numpy(np.maximum(counts, 1)).float()
    torch.manual_seed(1)
    embedding, bias = nn.Embedding(len(counts), HIDDEN, sparse=True), nn.Embedding(len(counts), 1, sparse=True)
    cell = nn.GRUCell(HIDDEN, HIDDEN)
    parameters = [*embedding.parameters(), *bias.parameters(), *cell.parameters()]
    optimizer = torch.optim.Adagrad(parameters, lr=RATE, eps=1e-6)
    began = time.perf_counter()
    rows, following = queue[:BATCH], BATCH
    positions = [0] * len(rows)
    hidden = torch.zeros(len(rows), HIDDEN)
    while rows:
        items = torch.tensor([row[position] for row, position in zip(rows, positions, strict=True)])
        targets = torch.tensor([row[position + 1] for row, position in zip(rows, positions, strict=True)])
        samples = torch.multinomial(support**ALPHA, SAMPLES, replacement=True)
        columns = torch.cat((targets, samples))
        hidden = cell(embedding(items), hidden.detach())
        scores = hidden @ embedding(columns).T + bias(columns).T
        frequency = torch.cat((support[targets].log(), ALPHA * support[samples].log()))
        loss = F.cross_entropy(scores - frequency, torch.arange(len(rows)), reduction="sum") / BATCH
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        goes_on = torch.ones(len(rows))
        for i in range(len(rows) - 1, -1, -1):
            positions[i] += 1
            if positions[i] + 1 < len(rows[i]):
                continue
            if following < len(queue):
                rows[i], positions[i], goes_on[i] = queue[following], 0, 0.0
                following += 1
            else:
                del rows[i], positions[i]
                kept = [j for j in range(len(goes_on)) if j != i]
                hidden, goes_on = hidden[kept], goes_on[kept]
        hidden = hidden * goes_on.unsqueeze(1)
    return time.perf_counter() - began


def lightning_epochs(sessions: Sessions, counts: Longs, epochs: int) -> list[float]:
    """Events/s of each epoch, checkpoints and all that happens between steps included."""
    config = TrainConfig(
        batch_size=BATCH, n_samples=SAMPLES, sample_alpha=ALPHA, learning_rate=RATE, epochs=epochs, patience=0
    )
    ends: list[float] = []
    with tempfile.TemporaryDirectory(prefix="sequence-training-") as folder:
        fit(
            sessions,
            counts,
            ModelConfig(hidden_size=HIDDEN),
            config,
            Path(folder),
            progress=False,
            epoch_done=lambda _: ends.append(time.perf_counter()),
        )
    events = int((sessions.lengths - 1).sum())
    return [events / (after - before) for before, after in pairwise(ends)]


def measure(n_items: int, n_sessions: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    sessions, counts = made_up(n_items, n_sessions)
    events = int((sessions.lengths - 1).sum())
    plain, ours = [], []
    plain_epoch(sessions, counts)
    for _ in range(REPEATS):
        plain.append(events / plain_epoch(sessions, counts))
        ours += lightning_epochs(sessions, counts, 2)  # the first one warms it up
    return {
        "items": n_items,
        "events": events,
        "plain_events_per_s": round(median(plain)),
        "lightning_events_per_s": round(median(ours)),
        "ratio": round(median(ours) / median(plain), 3),
        "plain_runs": [round(value) for value in plain],
        "lightning_runs": [round(value) for value in ours],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    parser.add_argument("--items", type=int, default=3000)
    parser.add_argument("--sessions", type=int, default=15_000)
    arguments = parser.parse_args()
    result = measure(arguments.items, arguments.sessions)
    print(f"plain loop      {result['plain_events_per_s']:>8,} events/s")
    print(f"under Lightning {result['lightning_events_per_s']:>8,} events/s, {result['ratio']:.2f} of the plain loop")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
