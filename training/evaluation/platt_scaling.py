"""From scores to probabilities: Platt 1999, "Probabilistic outputs for support vector machines"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from infra.models.arrays import Doubles

STEPS = 25


@dataclass(frozen=True)
class PlattScaling:
    """probability = 1 / (1 + exp(-(slope * score + offset)))"""

    slope: float
    offset: float

    def __call__(self, scores: Doubles) -> Doubles:
        """(n,) of (n,)"""
        return np.asarray(1 / (1 + np.exp(-(self.slope * scores + self.offset))), np.float64)

    @staticmethod
    def fit(scores: Doubles, happened: npt.NDArray[Any]) -> PlattScaling:
        """The logistic fit on (n,) scores and outcomes, by Newton's method with a small ridge term."""
        target = happened.astype(np.float64)
        design = np.column_stack([scores, np.ones_like(scores)])
        weights = np.zeros(2)
        for _ in range(STEPS):
            p = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
            gradient = design.T @ (p - target) + 1e-6 * weights
            hessian = (design * (p * (1 - p))[:, None]).T @ design + 1e-6 * np.eye(2)
            weights -= np.linalg.solve(hessian, gradient)
        return PlattScaling(float(weights[0]), float(weights[1]))
