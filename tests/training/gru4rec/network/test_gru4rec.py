"""The network: both ways to the state agree, and dropout has the right size in the right layer."""

import math

import pytest

pytest.importorskip("torch")

import torch

from training.gru4rec.network.gru4rec import Gru4Rec


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(3)


def network(**dropout):
    return Gru4Rec(30, 16, **dropout).eval()


def test_right_padded_rows_and_single_steps_reach_the_same_state():
    found, items, lengths = network(), torch.randint(0, 30, (4, 6)), torch.tensor([6, 1, 3, 4])
    padded = found(items, lengths)
    for row, length in enumerate(lengths.tolist()):
        hidden = found.start(1)
        for k in range(length):
            hidden = found.step(items[row : row + 1, k], hidden)
        assert torch.allclose(hidden[0], padded[row], atol=1e-6)
    other = items.clone()
    other[1, 1:] = 7  # padding
    assert torch.equal(found(other, lengths)[1], padded[1])


def test_scores_are_the_dot_products_with_the_embeddings_that_read_the_items_and_no_probabilities():
    found = network()
    with torch.no_grad():
        found.bias.weight.normal_()
        hidden = torch.randn(2, 16)
        scores = found.scores(hidden)
        table, bias = found.embedding.weight.tolist(), found.bias.weight.flatten().tolist()
    for row, state in enumerate(hidden.tolist()):
        expected = [sum(a * b for a, b in zip(state, table[i], strict=True)) + bias[i] for i in range(30)]
        assert scores[row].tolist() == pytest.approx(expected, abs=1e-5)
    assert (scores < 0).any()
    assert not torch.allclose(scores.sum(1), torch.ones(2), atol=0.1)


def test_initial_weights_are_uniform_within_the_limit_of_their_matrix_and_biases_are_zero():
    found = Gru4Rec(500, 40)
    for weights, limit in (
        (found.embedding.weight, math.sqrt(6 / 540)),
        *((gate, math.sqrt(6 / 80)) for gate in found.gru.weight_ih_l0.chunk(3)),
        *((gate, math.sqrt(6 / 80)) for gate in found.gru.weight_hh_l0.chunk(3)),
    ):
        assert 0.95 * limit < weights.abs().max().item() <= limit
        assert weights.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.06)
    assert not any(bias.any() for bias in (found.bias.weight, found.gru.bias_ih_l0, found.gru.bias_hh_l0))


def test_dropout_is_the_share_that_is_dropped_and_the_rest_is_scaled_up():
    """If 0.9 were the share that stays, nine tenths would be left."""
    found = Gru4Rec(30, 100, dropout_hidden=0.9).train()
    hidden, one_item = torch.ones(400, 100), torch.ones(1, 100)
    sums = found.scores_of(hidden, one_item, torch.zeros(1, 1))
    assert sums.mean().item() == pytest.approx(100, rel=0.1)
    values = found.scores_of(torch.ones(1000, 100), torch.eye(100), torch.zeros(100, 1))
    assert (values == 0).float().mean().item() == pytest.approx(0.9, abs=0.01)
    assert values.max().item() == pytest.approx(10)


def test_dropout_of_the_embedding_reaches_the_state_and_eval_mode_drops_nothing():
    found = Gru4Rec(30, 16, dropout_embedding=0.5, dropout_hidden=0.5)
    items, start = torch.arange(8), torch.zeros(8, 16)
    assert not torch.equal(found.step(items, start), found.step(items, start))
    found.eval()
    assert torch.equal(found.step(items, start), found.step(items, start))
    assert torch.equal(found.scores(start + 1), found.scores(start + 1))


def test_the_state_for_the_next_step_has_no_dropout():
    found = Gru4Rec(30, 16, dropout_hidden=0.9).train()
    items, start = torch.arange(8), torch.randn(8, 16)
    assert torch.equal(found.step(items, start), found.eval().step(items, start))
