"""Fits :mod:`feature_repo.candidates.sources.als` with the library ``implicit`` (the extra ``recommend``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from feature_repo.candidates.sources.als import Als
from training.candidates.decayed_orders import decayed_orders
from training.candidates.known_log import KnownLog


def fit(log: KnownLog, params: Mapping[str, Any]) -> Als | None:
    """Items with fewer than ``min_buyers`` buyers have no factors. None where there are none, or without implicit.

    One thread: sums of several threads would differ from run to run.
    """
    try:
        from implicit.cpu.als import AlternatingLeastSquares
    except ImportError:
        return None
    half_life = int(params["half_life_days"])
    orders = decayed_orders(log, half_life, int(params["users"]), int(params["seed"]))
    items = np.flatnonzero(np.bincount(orders.items, minlength=len(log.codes)) >= params["min_buyers"])
    if not len(items):
        return None
    kept = np.isin(orders.items, items)
    alpha = float(params["alpha"])
    confidence = csr_matrix(
        (
            (1 + alpha * orders.weights[kept]).astype(np.float32),
            (orders.users[kept], np.searchsorted(items, orders.items[kept])),
        ),
        shape=(int(orders.users[-1]) + 1, len(items)),
    )
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=int(params["factors"]),
            regularization=float(params["regularization"]),
            alpha=1.0,
            iterations=int(params["iterations"]),
            random_state=int(params["seed"]),
            num_threads=1,
        )
        model.fit(confidence, show_progress=False)
    return Als(items.astype(np.int32), model.item_factors, alpha, float(params["regularization"]), half_life)
