"""What each user had ordered, as the user's row holds it: the newest items, each with a decayed count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from feature_repo.candidates.item_codes import Codes
from feature_repo.definitions.extents import HALF_LIVES_DAYS, HISTORY_LIMIT
from infra.models.arrays import Doubles, Integers
from training.candidates.known_log import KnownLog


@dataclass(frozen=True)
class DecayedOrders:
    """By user and item: users (from 0), items, weights = sum over the orders of 2^(-age / half-life), (m,) each."""

    users: Integers
    items: Codes
    weights: Doubles


def decayed_orders(log: KnownLog, half_life_days: int, users: int, seed: int) -> DecayedOrders:
    """Of at most ``users`` users, a sample by a hash of the id and the seed. Raises ValueError for a half-life that the
    user's row does not hold."""
    if half_life_days not in HALF_LIVES_DAYS:
        raise ValueError(f"half_life_days is {half_life_days}: the features hold {HALF_LIVES_DAYS}")
    found = log.connection.execute(
        """
        WITH buyers AS (
            SELECT user_id FROM known_events WHERE action = 'order'
            GROUP BY user_id ORDER BY md5(user_id || '/' || $seed), user_id LIMIT $users
        ), pairs AS (
            SELECT user_id, code, max(at_us) AS last_us, list_sort(list(at_us)) AS ordered_us
            FROM known_events JOIN buyers USING (user_id) WHERE action = 'order' GROUP BY user_id, code
            QUALIFY row_number() OVER (PARTITION BY user_id ORDER BY max(at_us) DESC, code) <= $newest
        )
        SELECT dense_rank() OVER (ORDER BY user_id) - 1 AS user_number, code,
            list_sum(list_transform(ordered_us, lambda t: 2 ** ((t - $known_at_us) / $half_life_us))) AS weight
        FROM pairs ORDER BY user_number, code
        """,
        {
            "seed": str(seed),
            "users": users,
            "newest": HISTORY_LIMIT,
            "known_at_us": log.known_at_us,
            "half_life_us": half_life_days * 86_400e6,
        },
    ).fetchnumpy()
    return DecayedOrders(
        np.asarray(found["user_number"], np.int64), np.asarray(found["code"]), np.asarray(found["weight"])
    )
