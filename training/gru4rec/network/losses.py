"""Losses over sampled scores (Hidasi & Karatzoglou 2018), and the logQ correction.

    scores    (batch, batch + samples): row i is session i, its target is column i, every other column is a negative:
              first the targets of the other sessions, then the sampled items. Before any softmax.

Both losses are sums over the rows divided by ``batch_size``, also for an epoch's last, smaller batches: an event
weighs the same in all of them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def cross_entropy(scores: Tensor, batch_size: int) -> Tensor:
    """-log softmax(scores)_target; the one softmax there is."""
    targets = torch.arange(len(scores), device=scores.device)
    return F.cross_entropy(scores, targets, reduction="sum") / batch_size


def bpr_max(scores: Tensor, batch_size: int, penalty: float) -> Tensor:
    """-log Σ_j s_j σ(r_target - r_j) + penalty Σ_j s_j r_j², s = softmax over the negatives j of the row alone."""
    rows = len(scores)
    target = scores.diagonal().unsqueeze(1)  # (batch, 1)
    own = torch.eye(rows, scores.shape[1], dtype=torch.bool, device=scores.device)
    weights = scores.masked_fill(own, -torch.inf).softmax(dim=1)
    preferred = (weights * torch.sigmoid(target - scores)).sum(dim=1)
    regularisation = (weights * scores.square()).sum(dim=1)
    return (penalty * regularisation - torch.log(preferred + 1e-24)).sum() / batch_size


def log_q(target_support: Tensor, sample_support: Tensor, alpha: float) -> Tensor:
    """(batch + samples,): log of how often each column's item is drawn, up to a constant.

    A target comes with its support, a sampled item with support^alpha. Subtracted from the scores, it makes the
    sampled softmax estimate the full one (Bengio & Senécal 2008).
    """
    return torch.cat((target_support.log(), alpha * sample_support.log()))
