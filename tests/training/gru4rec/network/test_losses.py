"""Losses compared with values worked out by hand, and known mistakes."""

import math

import pytest

pytest.importorskip("torch")

import torch

from training.gru4rec.network.losses import bpr_max, cross_entropy, log_q

# Two rows, one sample. Row 0: target 2, negatives 1 and 0. Row 1: target 0, negatives 1 and 3.
SCORES = [[2.0, 1.0, 0.0], [1.0, 0.0, 3.0]]


def scores(values=SCORES):
    return torch.tensor(values, dtype=torch.float64)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_cross_entropy_is_minus_the_log_of_the_targets_softmax_divided_by_the_batch_size():
    row0 = -math.log(math.exp(2) / (math.exp(2) + math.exp(1) + 1))
    row1 = -math.log(1 / (math.exp(1) + 1 + math.exp(3)))
    assert cross_entropy(scores(), 2).item() == pytest.approx((row0 + row1) / 2)
    assert cross_entropy(scores(), 64).item() == pytest.approx((row0 + row1) / 64)  # an epoch's last, smaller batch


def test_cross_entropy_takes_scores_and_not_probabilities():
    """With a second softmax the loss is never below log(1 + 2/e); with one it goes to zero."""
    certain = scores([[50.0, 0.0, 0.0], [0.0, 50.0, 0.0]])
    assert cross_entropy(certain, 2).item() == pytest.approx(0, abs=1e-12)
    assert cross_entropy(scores() + 100, 2).item() == pytest.approx(cross_entropy(scores(), 2).item())


def test_bpr_max_weights_the_negatives_by_a_softmax_over_the_negatives():
    weights0 = (math.exp(1) / (math.exp(1) + 1), 1 / (math.exp(1) + 1))
    weights1 = (math.exp(1) / (math.exp(1) + math.exp(3)), math.exp(3) / (math.exp(1) + math.exp(3)))
    row0 = -math.log(weights0[0] * sigmoid(2 - 1) + weights0[1] * sigmoid(2 - 0))
    row1 = -math.log(weights1[0] * sigmoid(0 - 1) + weights1[1] * sigmoid(0 - 3))
    assert bpr_max(scores(), 2, 0.0).item() == pytest.approx((row0 + row1) / 2)
    regularisation = weights0[0] * 1 + weights0[1] * 0 + weights1[0] * 1 + weights1[1] * 9
    assert bpr_max(scores(), 2, 0.5).item() == pytest.approx((row0 + row1 + 0.5 * regularisation) / 2)


def test_bpr_max_pulls_the_negatives_scores_towards_zero():
    """Without its regularisation only differences have an effect."""
    assert bpr_max(scores() + 5, 2, 0.0).item() == pytest.approx(bpr_max(scores(), 2, 0.0).item())
    assert bpr_max(scores() + 5, 2, 1.0).item() > bpr_max(scores(), 2, 1.0).item() + 10


def test_the_target_is_not_among_its_negatives():
    """Its gradient raises it, however high its score is."""
    for loss in (lambda s: cross_entropy(s, 2), lambda s: bpr_max(s, 2, 1.0)):
        found = scores([[9.0, 1.0, 0.0], [1.0, 9.0, 3.0]]).requires_grad_()
        loss(found).backward()
        assert (found.grad.diagonal() < 0).all()


def test_log_q_is_the_targets_support_and_the_samples_support_to_the_alpha():
    found = log_q(torch.tensor([1.0, 8.0]), torch.tensor([4.0]), 0.5)
    assert found.tolist() == pytest.approx([0.0, math.log(8), math.log(2)])


def test_with_log_q_the_sampled_softmax_estimates_the_full_one():
    """The scores are logs of the true probabilities, and items are drawn by q. With the correction the expected
    gradient of a negative is its true probability, without it the probability times q.
    """
    torch.manual_seed(1)
    probability = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
    q = torch.tensor([0.1, 0.1, 0.2, 0.6], dtype=torch.float64)
    drawn = torch.multinomial(q, 200_000, replacement=True)
    for corrected, expected in ((True, probability), (False, probability * q / (probability * q).sum())):
        logits = probability.log()[drawn] - (q.log()[drawn] if corrected else 0)
        share = torch.zeros(4, dtype=torch.float64).index_add(0, drawn, logits.softmax(0))
        assert share.tolist() == pytest.approx(expected.tolist(), abs=0.01)
