"""Losses over sampled scores (Hidasi & Karatzoglou 2018), and the logQ correction.

    scores    (batch, batch + samples), before any softmax: row i is session i and its target is column i. All other
              columns are negatives: the targets of the other sessions, then the sampled items.

Both losses are sums over the rows divided by ``batch_size``. The last batches of an epoch are smaller, but the divisor
is the same, so that each event has the same weight.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def cross_entropy(scores: Tensor, batch_size: int) -> Tensor:
    """-log softmax(scores)_target; this is the only softmax."""
    targets = torch.arange(len(scores), device=scores.device)
    return F.cross_entropy(scores, targets, reduction="sum") / batch_size


def bpr_max(scores: Tensor, batch_size: int, penalty: float) -> Tensor:
    """-log Σ_j s_j σ(r_target - r_j) + penalty Σ_j s_j r_j², where s is the softmax over the negatives j of the row."""
    rows = len(scores)
    target = scores.diagonal().unsqueeze(1)  # (batch, 1)
    is_target = torch.eye(rows, scores.shape[1], dtype=torch.bool, device=scores.device)
    weights = scores.masked_fill(is_target, -torch.inf).softmax(dim=1)
    preferred = (weights * torch.sigmoid(target - scores)).sum(dim=1)
    regularisation = (weights * scores.square()).sum(dim=1)
    return (penalty * regularisation - torch.log(preferred + 1e-24)).sum() / batch_size


def log_q(target_support: Tensor, sample_support: Tensor, alpha: float) -> Tensor:
    """(batch + samples,): log of the frequency with which the item of each column is drawn, up to a constant.

    The frequency is the support of a target and support^alpha of a sampled item. If it is subtracted from the scores,
    the sampled softmax estimates the full softmax (Bengio & Senécal 2008).
    """
    return torch.cat((target_support.log(), alpha * sample_support.log()))
