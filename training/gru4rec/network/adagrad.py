"""Adagrad (Duchi et al. 2011) with momentum, for dense and for sparse gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

EPSILON = 1e-6


class AdagradMomentum(Optimizer):
    """accumulator += gradient², velocity = momentum · velocity - rate · gradient / sqrt(accumulator + ε),
    parameter += velocity; accumulator and velocity start at zero.

    A sparse gradient changes only the rows that it has. The velocity of the other rows does not decay: momentum counts
    the updates of a row, not the steps between them.
    """

    def __init__(self, parameters: Iterable[Tensor], learning_rate: float, momentum: float = 0.0) -> None:
        super().__init__(parameters, {"learning_rate": learning_rate, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)
        return loss

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if "accumulator" not in state:
            state["accumulator"] = torch.zeros_like(parameter)
            if group["momentum"]:
                state["velocity"] = torch.zeros_like(parameter)
        if gradient.is_sparse:
            _update_rows(parameter, gradient.coalesce(), state, group)
        else:
            accumulator = state["accumulator"].addcmul_(gradient, gradient)
            change = gradient * torch.rsqrt(accumulator + EPSILON) * -group["learning_rate"]
            if group["momentum"]:
                change = state["velocity"].mul_(group["momentum"]).add_(change)
            parameter.add_(change)


def _update_rows(parameter: Tensor, gradient: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> None:
    """``gradient`` is coalesced, so that the gradients of a row are summed before they are squared."""
    rows, values = gradient.indices()[0], gradient.values()
    accumulated = state["accumulator"].index_select(0, rows).addcmul_(values, values)
    state["accumulator"].index_copy_(0, rows, accumulated)
    change = values * accumulated.add_(EPSILON).rsqrt_() * -group["learning_rate"]
    if group["momentum"]:
        change.add_(state["velocity"].index_select(0, rows), alpha=group["momentum"])
        state["velocity"].index_copy_(0, rows, change)
    parameter.index_add_(0, rows, change)
