"""Recall@K and MRR@K of the next item: every position of every session, all items scored.

A session of items i_1 ... i_n asks n - 1 questions: after i_1 ... i_k, what position does i_{k+1} get among all items?

    rank      = 1 + the number of other items that do not score below the target
    Recall@K  = share of questions with rank <= K
    MRR@K     = mean of 1 / rank where rank <= K, else 0

So ties count against the model: one that scores all items alike finds nothing. A NaN is never below anything, and
nothing is below a NaN: it counts against the model too. Hidasi et al. 2016 ("Session-based Recommendations with
Recurrent Neural Networks"); on ties Hidasi & Czapp 2023 ("The effect of third party implementations").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from training.gru4rec.next_item import BlockwiseModel, Items, NextItemModel, Scores
from training.gru4rec.sessions.processed import Sessions

Ranks = npt.NDArray[np.int64]
SESSIONS_AT_ONCE = 512
ROWS_COMPARED_AT_ONCE = 256


@dataclass(frozen=True)
class Judged:
    """ranks: (n,) of the targets, session by session; positions: (n,) how many items had been seen, from 1."""

    name: str
    ranks: Ranks
    positions: npt.NDArray[np.int64]

    def recall(self, k: int) -> float:
        return float(np.mean(self.ranks <= k)) if len(self.ranks) else float("nan")

    def mrr(self, k: int) -> float:
        return float(np.mean(np.where(self.ranks <= k, 1.0 / self.ranks, 0.0))) if len(self.ranks) else float("nan")

    def metrics(self, ks: Sequence[int]) -> dict[str, float]:
        """``recall@K`` and ``mrr@K`` for each K."""
        return {f"recall@{k}": self.recall(k) for k in ks} | {f"mrr@{k}": self.mrr(k) for k in ks}

    def recall_by_position(self, k: int, longest: int) -> list[float]:
        """After 1, 2, ... ``longest`` items; the last entry holds all longer ones too. NaN where there are none."""
        clipped = np.minimum(self.positions, longest)
        return [
            float(np.mean(self.ranks[clipped == position] <= k)) if np.any(clipped == position) else float("nan")
            for position in range(1, longest + 1)
        ]


def evaluate(model: NextItemModel, sessions: Sessions, *, progress: bool = False) -> Judged:
    """Judge ``model``; sessions of fewer than two items ask nothing. Memory: some blocks of (rows, n_items)."""
    asked = [session for session in (sessions[i] for i in range(len(sessions))) if len(session) > 1]
    ranks: list[Ranks] = []
    with tqdm(total=len(asked), desc=model.name, unit="session", disable=not progress) as bar:
        for first in range(0, len(asked), SESSIONS_AT_ONCE):
            some = asked[first : first + SESSIONS_AT_ONCE]
            ranks += _ranks_of(model, some)
            bar.update(len(some))
    positions = [np.arange(1, len(session), dtype=np.int64) for session in asked]
    return Judged(model.name, _joined(ranks), _joined(positions))


def target_ranks(scores: Scores, targets: npt.NDArray[np.integer]) -> Ranks:
    """scores: (rows, n_items); targets: (rows,) item of each row. Returns (rows,), from 1."""
    found = np.empty(len(targets), dtype=np.int64)
    for first in range(0, len(targets), ROWS_COMPARED_AT_ONCE):
        block = scores[first : first + ROWS_COMPARED_AT_ONCE]
        wanted = targets[first : first + len(block)]
        own = block[np.arange(len(block)), wanted]
        found[first : first + len(block)] = block.shape[1] - np.count_nonzero(block < own[:, None], axis=1)
    return found


def _ranks_of(model: NextItemModel, sessions: Sequence[Items]) -> list[Ranks]:
    targets = np.concatenate([session[1:] for session in sessions])
    found, done = [], 0
    for block in _blocks(model, [session[:-1] for session in sessions]):
        found.append(target_ranks(block, targets[done : done + len(block)]))
        done += len(block)
    if done != len(targets):
        raise ValueError(f"{model.name} gave {done} rows of scores for {len(targets)} positions")
    return found


def _blocks(model: NextItemModel, sessions: Sequence[Items]) -> Iterator[Scores]:
    if isinstance(model, BlockwiseModel):
        yield from model.score_blocks(sessions)
    else:
        for session in sessions:
            yield model.scores(session)


def _joined(parts: Sequence[Ranks]) -> Ranks:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
