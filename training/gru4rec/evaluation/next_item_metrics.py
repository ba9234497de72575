"""Recall@K and MRR@K of the next item, at every position of every session, with all items scored.

A session of items i_1 ... i_n has n - 1 targets: the model reads i_1 ... i_k and scores all items, and i_{k+1} is the
target.

    rank      = 1 + the number of other items whose score is not below the target's
    Recall@K  = share of targets with rank <= K
    MRR@K     = mean of 1 / rank where rank <= K, else 0

So ties count against the model: a model with equal scores for all items has a recall of 0. NaN counts against the
model too, because no comparison with NaN is true. Hidasi et al. 2016 ("Session-based Recommendations with Recurrent
Neural Networks"); on ties Hidasi & Czapp 2023 ("The effect of third party implementations").
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
class Evaluation:
    """``ranks``: (n,) of the targets, session by session. ``positions``: (n,) number of items seen before each."""

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

    def recall_by_position(self, k: int, max_position: int) -> list[float]:
        """Recall after 1, 2, ... ``max_position`` items; the last entry is for that many or more. NaN if undefined."""
        clipped = np.minimum(self.positions, max_position)
        return [
            float(np.mean(self.ranks[clipped == position] <= k)) if np.any(clipped == position) else float("nan")
            for position in range(1, max_position + 1)
        ]


def evaluate(model: NextItemModel, sessions: Sessions, *, progress: bool = False) -> Evaluation:
    """Evaluate ``model``. Sessions of one item have no target. Memory: a few blocks of (rows, n_items)."""
    with_target = [session for session in (sessions[i] for i in range(len(sessions))) if len(session) > 1]
    ranks: list[Ranks] = []
    with tqdm(total=len(with_target), desc=model.name, unit="session", disable=not progress) as bar:
        for first in range(0, len(with_target), SESSIONS_AT_ONCE):
            some = with_target[first : first + SESSIONS_AT_ONCE]
            ranks += _ranks_of(model, some)
            bar.update(len(some))
    positions = [np.arange(1, len(session), dtype=np.int64) for session in with_target]
    return Evaluation(model.name, _joined(ranks), _joined(positions))


def target_ranks(scores: Scores, targets: npt.NDArray[np.integer]) -> Ranks:
    """scores: (rows, n_items); targets: (rows,) item of each row. Returns (rows,), from 1."""
    ranks = np.empty(len(targets), dtype=np.int64)
    for first in range(0, len(targets), ROWS_COMPARED_AT_ONCE):
        block = scores[first : first + ROWS_COMPARED_AT_ONCE]
        target_scores = block[np.arange(len(block)), targets[first : first + len(block)]]
        below = np.count_nonzero(block < target_scores[:, None], axis=1)
        ranks[first : first + len(block)] = block.shape[1] - below
    return ranks


def _ranks_of(model: NextItemModel, sessions: Sequence[Items]) -> list[Ranks]:
    targets = np.concatenate([session[1:] for session in sessions])
    found, done = [], 0
    for block in _blocks(model, [session[:-1] for session in sessions]):
        found.append(target_ranks(block, targets[done : done + len(block)]))
        done += len(block)
    if done != len(targets):
        raise ValueError(f"{model.name} returned {done} rows of scores for {len(targets)} positions")
    return found


def _blocks(model: NextItemModel, sessions: Sequence[Items]) -> Iterator[Scores]:
    if isinstance(model, BlockwiseModel):
        yield from model.score_blocks(sessions)
    else:
        for session in sessions:
            yield model.scores(session)


def _joined(parts: Sequence[Ranks]) -> Ranks:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
