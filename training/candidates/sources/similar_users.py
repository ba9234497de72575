"""Fits :mod:`feature_repo.candidates.sources.similar_users`: the decayed order counts of a sample of users.

Of each user the ``user_items`` items with the largest share are kept for those whom the user is like.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from feature_repo.candidates.ragged import Ragged
from feature_repo.candidates.source import Candidates
from feature_repo.candidates.sources.similar_users import SimilarUsers
from feature_repo.candidates.sparse_table import SparseTable
from training.candidates.decayed_orders import DecayedOrders, decayed_orders
from training.candidates.known_log import KnownLog


def fit(log: KnownLog, params: Mapping[str, Any]) -> SimilarUsers | None:
    """None without an order. idf = log(1 + users / users who ordered the item) ^ ``idf``."""
    half_life = int(params["half_life_days"])
    orders = decayed_orders(log, half_life, int(params["users"]), int(params["seed"]))
    if not len(orders.users):
        return None
    n, users = len(log.codes), int(orders.users[-1]) + 1
    buyers = np.bincount(orders.items, minlength=n)
    idf = (np.log1p(users / np.maximum(buyers, 1)) ** params["idf"]).astype(np.float32)
    vectors = orders.weights * idf[orders.items]
    unit = vectors / np.sqrt(np.bincount(orders.users, vectors**2))[orders.users]
    shares = orders.weights / np.bincount(orders.users, orders.weights)[orders.users]
    # What a neighbour seldom ordered moves no list, and takes a request much of its time.
    often = Candidates.best(orders.users, orders.items, shares, users, int(params["user_items"]))
    return SimilarUsers(
        by_item=_by_item(orders, unit, n, users),
        of_user=SparseTable(often.lists, often.items, often.scores, n),
        idf=idf,
        half_life_days=half_life,
        neighbours=int(params["neighbours"]),
        power=float(params["power"]),
    )


def _by_item(orders: DecayedOrders, unit: Any, n: int, users: int) -> SparseTable:
    order = np.argsort(orders.items, kind="stable")
    return SparseTable(
        Ragged.of_lengths(np.bincount(orders.items, minlength=n)),
        orders.users[order].astype(np.int32),
        unit[order].astype(np.float32),
        users,
    )
