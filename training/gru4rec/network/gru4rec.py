"""The network of GRU4Rec (Hidasi et al. 2016; Hidasi & Karatzoglou 2018): item -> embedding -> GRU -> item scores.

The same embedding reads and scores the items, so the hidden state has its size.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn


class Gru4Rec(nn.Module):
    """One GRU layer. Initial weights are uniform within ±sqrt(6 / (inputs + outputs)) of their matrix, biases zero.

    ``dropout_embedding`` and ``dropout_hidden``: the shares that are dropped in training.
    """

    def __init__(
        self, n_items: int, hidden_size: int, dropout_embedding: float = 0.0, dropout_hidden: float = 0.0
    ) -> None:
        super().__init__()
        self.n_items, self.hidden_size = n_items, hidden_size
        # Sparse, so that the gradient of a step has only the rows that the step read.
        self.embedding = nn.Embedding(n_items, hidden_size, sparse=True)
        self.bias = nn.Embedding(n_items, 1, sparse=True)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True)
        self.drop_embedding = nn.Dropout(dropout_embedding)
        self.drop_hidden = nn.Dropout(dropout_hidden)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        limit = math.sqrt(6.0 / (self.n_items + self.hidden_size))
        nn.init.uniform_(self.embedding.weight, -limit, limit)
        nn.init.zeros_(self.bias.weight)
        weight_ih, weight_hh, bias_ih, bias_hh = self._gru_weights
        for gate in (*weight_ih.chunk(3), *weight_hh.chunk(3)):
            nn.init.xavier_uniform_(gate)
        nn.init.zeros_(bias_ih)
        nn.init.zeros_(bias_hh)

    @property
    def _gru_weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        gru = self.gru
        return cast(
            tuple[Tensor, Tensor, Tensor, Tensor], (gru.weight_ih_l0, gru.weight_hh_l0, gru.bias_ih_l0, gru.bias_hh_l0)
        )

    @property
    def hyperparameters(self) -> dict[str, int | float]:
        return {
            "n_items": self.n_items,
            "hidden_size": self.hidden_size,
            "dropout_embedding": self.drop_embedding.p,
            "dropout_hidden": self.drop_hidden.p,
        }

    def start(self, batch: int) -> Tensor:
        """(batch, hidden): the state before a session's first item."""
        return self.embedding.weight.new_zeros(batch, self.hidden_size)

    def step(self, items: Tensor, hidden: Tensor) -> Tensor:
        """items (batch,) int64, hidden (batch, hidden) -> the state after the items."""
        return self.step_embedded(cast(Tensor, self.embedding(items)), hidden)

    def step_embedded(self, embedded: Tensor, hidden: Tensor) -> Tensor:
        """Like :meth:`step`, with the embeddings (batch, hidden) of the items."""
        return torch.gru_cell(self.drop_embedding(embedded), hidden, *self._gru_weights)

    def forward(self, items: Tensor, lengths: Tensor) -> Tensor:
        """The state after the last item of each row: items (batch, length) int64, padded at the right with any valid
        index, lengths (batch,) int64 of at least 1 -> (batch, hidden).
        """
        states, _ = self.gru(self.drop_embedding(self.embedding(items)))  # (batch, length, hidden)
        last = (lengths - 1).view(-1, 1, 1).expand(-1, 1, self.hidden_size)
        return cast(Tensor, states.gather(1, last).squeeze(1))

    def scores(self, hidden: Tensor) -> Tensor:
        """(batch, hidden) -> (batch, n_items), before any softmax."""
        return self.scores_of(hidden, self.embedding.weight, self.bias.weight)

    def scores_of(self, hidden: Tensor, embedded: Tensor, bias: Tensor) -> Tensor:
        """hidden (batch, hidden), embedded (items, hidden) and bias (items, 1) of the items to score -> (batch, items).

        Dropout applies to the state that scores, not to the state that the next step starts from.
        """
        return torch.addmm(bias.squeeze(1), self.drop_hidden(hidden), embedded.T)
