"""What the buyer model's scores mean: probabilities by a logistic fit on later windows, and how well they hold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from infra.models.arrays import Doubles
from training.evaluation.platt_scaling import PlattScaling

BINS = 10


def fitted_scaling(scores: Doubles, labels: npt.NDArray[np.int8]) -> PlattScaling:
    """Of (n,) log odds and (n,) labels, 0 or 1.

    The labels are drawn towards the middle as Platt 1999 does, (n1 + 1) / (n1 + 2) for 1 and 1 / (n0 + 2) for 0, so
    that few users who are sorted without a fault leave finite parameters.
    """
    positives = int(labels.sum())
    high, low = (positives + 1) / (positives + 2), 1 / (len(labels) - positives + 2)
    return PlattScaling.fit(scores, np.where(labels > 0, high, low))


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
