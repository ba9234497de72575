"""Adagrad with momentum, compared with its equations and with torch's Adagrad."""

import math

import pytest

pytest.importorskip("torch")

import torch

from training.gru4rec.network.adagrad import EPSILON, AdagradMomentum


def parameter(*values):
    return torch.tensor(values, dtype=torch.float64).requires_grad_()


def step(optimizer, found, gradient):
    found.grad = gradient
    optimizer.step()


def dense(*values):
    return torch.tensor(values, dtype=torch.float64)


def rows(indices, values, n):
    return torch.sparse_coo_tensor([indices], torch.tensor(values, dtype=torch.float64), (n, 1), check_invariants=False)


def test_the_first_step_has_the_size_of_the_learning_rate_for_any_gradient():
    found = parameter(1.0, 1.0)
    step(AdagradMomentum([found], 0.1), found, dense(0.5, -40.0))
    assert found.tolist() == pytest.approx([0.9, 1.1], abs=1e-6)


def test_velocity_and_accumulator_follow_their_equations():
    found = parameter(0.0)
    optimizer = AdagradMomentum([found], 0.1, momentum=0.5)
    step(optimizer, found, dense(3.0))
    first = -0.1 * 3 / math.sqrt(9 + EPSILON)
    assert found.item() == pytest.approx(first, rel=1e-12)
    step(optimizer, found, dense(4.0))
    second = 0.5 * first - 0.1 * 4 / math.sqrt(25 + EPSILON)
    assert found.item() == pytest.approx(first + second, rel=1e-12)


def test_without_momentum_it_is_torchs_adagrad():
    torch.manual_seed(1)
    found, expected = (torch.ones(5, 3, dtype=torch.float64).requires_grad_() for _ in range(2))
    ours, torchs = AdagradMomentum([found], 0.3), torch.optim.Adagrad([expected], lr=0.3, eps=0)
    for _ in range(20):
        gradient = torch.randn(5, 3, dtype=torch.float64)
        step(ours, found, gradient.clone())
        step(torchs, expected, gradient.clone())
    assert torch.allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_sparse_gradient_of_all_rows_has_the_effect_of_a_dense_one(momentum):
    torch.manual_seed(2)
    sparse, full = (torch.zeros(3, 1, dtype=torch.float64).requires_grad_() for _ in range(2))
    pair = (AdagradMomentum([sparse], 0.1, momentum), AdagradMomentum([full], 0.1, momentum))
    for _ in range(5):
        gradient = torch.randn(3, 1, dtype=torch.float64)
        step(pair[0], sparse, rows([0, 1, 2], gradient.tolist(), 3))
        step(pair[1], full, gradient)
    assert torch.allclose(sparse, full)


def test_gradients_of_a_row_that_occurs_twice_are_summed_before_they_are_squared():
    found = torch.zeros(2, 1, dtype=torch.float64).requires_grad_()
    optimizer = AdagradMomentum([found], 0.1)
    step(optimizer, found, rows([1, 1], [[3.0], [1.0]], 2))
    assert optimizer.state[found]["accumulator"].flatten().tolist() == [0, 16]


def test_a_row_without_a_gradient_keeps_its_value_and_its_velocity():
    found = torch.zeros(2, 1, dtype=torch.float64).requires_grad_()
    optimizer = AdagradMomentum([found], 0.1, momentum=0.5)
    step(optimizer, found, rows([0], [[2.0]], 2))
    velocity = optimizer.state[found]["velocity"][0].item()
    for _ in range(3):
        step(optimizer, found, rows([1], [[2.0]], 2))
    assert found[0].item() == velocity == optimizer.state[found]["velocity"][0].item()
    step(optimizer, found, rows([0], [[2.0]], 2))
    expected = velocity + 0.5 * velocity - 0.1 * 2 / math.sqrt(8 + EPSILON)
    assert found[0].item() == pytest.approx(expected, rel=1e-12)
