"""The baseline *click_through*: the share of an item's earlier slates in which it was wanted, smoothed.

    (positives before + PRIOR * mean) / (slates before + PRIOR)

Before a slate are the slates that were made at least SETTLED earlier, so that their labels were known. ``mean`` is the
share of positives in the train split. It is computed from the training set, because no feature counts in how many
slates an item stood. So it is a yardstick that a model must beat, and cannot serve.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from infra.models.arrays import Doubles, Integers

NAME = "click_through"
PRIOR = 20.0  # slates
SETTLED = timedelta(hours=24)


def click_through(
    items: npt.NDArray[Any], shown_us: Integers, labels: npt.NDArray[np.int64], is_train: npt.NDArray[np.bool_]
) -> Doubles:
    """(n,) of the rows of all splits: the item, the slate's time, the label, whether it is in the train split."""
    _, item = np.unique(items, return_inverse=True)
    order = np.lexsort((shown_us, item))
    positives = np.concatenate([[0], np.cumsum(labels[order] > 0)])
    first = np.searchsorted(item[order], item)  # where the rows of this row's item begin
    # One number per (item, time), so that one search finds the end of the earlier rows of each item.
    settled = SETTLED // timedelta(microseconds=1)
    since = shown_us - shown_us.min() + settled  # at least ``settled``, so that the search stays in its item
    key = item.astype(np.int64) * int(since.max() + 1)
    end = np.searchsorted((key + since)[order], key + since - settled, side="right")
    mean = float((labels[is_train] > 0).mean())
    return np.asarray((positives[end] - positives[first] + PRIOR * mean) / (end - first + PRIOR), dtype=np.float64)
