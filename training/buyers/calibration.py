"""Platt scaling: scores become probabilities by a logistic curve fitted on later windows (Platt 1999)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, log1p

from infra.models.arrays import Doubles

BINS = 10


@dataclass(frozen=True)
class Platt:
    """probability = 1 / (1 + exp(-(slope * score + intercept)))

    The slope is positive, so that the order of the users is that of the scores.
    """

    slope: float
    intercept: float

    @staticmethod
    def fit(scores: Doubles, labels: npt.NDArray[np.int8]) -> Platt:
        """Of (n,) scores as log odds and (n,) 0 or 1. Labels are drawn towards the middle as Platt does, so that labels
        of one kind leave finite parameters.
        """
        positives = int(labels.sum())
        high, low = (positives + 1) / (positives + 2), 1 / (len(labels) - positives + 2)
        targets = np.where(labels > 0, high, low)

        def loss(parameters: Doubles) -> tuple[float, Doubles]:
            slope = np.exp(parameters[0])
            z = slope * scores + parameters[1]
            error = expit(z) - targets
            value = np.maximum(z, 0) + log1p(np.exp(-np.abs(z))) - targets * z
            return float(value.mean()), np.array([(error * scores * slope).mean(), error.mean()])

        found = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-5, 5), (-50, 50)])
        return Platt(float(np.exp(found.x[0])), float(found.x[1]))

    def probabilities(self, scores: Doubles) -> Doubles:
        return np.asarray(expit(self.slope * scores + self.intercept), np.float64)


def calibration_table(probabilities: Doubles, labels: npt.NDArray[np.int8], bins: int = BINS) -> list[dict[str, float]]:
    """Rows of predicted mean, observed share and users: ``bins`` groups of about equal size, by probability.

    Empty for no users. A calibrated model has the predicted mean near the observed share in every row.
    """
    order = np.argsort(probabilities, kind="stable")
    return [
        {
            "predicted": float(probabilities[group].mean()),
            "observed": float(labels[group].mean()),
            "users": len(group),
        }
        for group in np.array_split(order, bins)
        if len(group)
    ]
