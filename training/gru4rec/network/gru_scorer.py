"""The network as a next-item model that scores many sessions at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.gru4rec.network.gru4rec import Gru4Rec
from training.gru4rec.next_item import Items

ROWS = 256  # scored at once, which limits memory to ROWS * n_items floats


@dataclass(frozen=True)
class GruScorer:
    """``network``: in eval mode."""

    network: Gru4Rec
    name: str = "gru4rec"

    def scores(self, session: Items) -> npt.NDArray[np.float32]:
        """(length, n_items)"""
        return np.concatenate(list(self.score_blocks([session])))

    def score_blocks(self, sessions: Sequence[Items]) -> Iterator[npt.NDArray[np.float32]]:
        """Blocks of at most ROWS rows."""
        with torch.inference_mode():
            for states in torch.split(_states(self.network, sessions), ROWS):
                yield self.network.scores(states).numpy()


def _states(network: Gru4Rec, sessions: Sequence[Items]) -> Tensor:
    """(all positions, hidden): the state after each item, session by session.

    The longest sessions come first, so that the sessions with an item at a step are always the first rows:

        a1 a2 a3 a4
        b1 b2
        c1
    """
    lengths = np.array([len(session) for session in sessions])
    order = np.argsort(-lengths, kind="stable")
    starts = (np.cumsum(lengths) - lengths)[order]
    items = np.concatenate(sessions).astype(np.int64)
    states = torch.empty(len(items), network.hidden_size)
    hidden = network.start(len(sessions))
    for step in range(lengths.max(initial=0)):
        active = int(np.count_nonzero(lengths > step))
        positions = starts[:active] + step
        hidden = network.step(torch.from_numpy(items[positions]), hidden[:active])
        states[torch.from_numpy(positions)] = hidden
    return states
