"""What a user and a session say about the items that they want: known items, each with a weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from feature_repo.candidates.item_codes import Codes
from feature_repo.candidates.queries import ACTION_CODES, Events, Queries
from feature_repo.candidates.ragged import Ragged
from feature_repo.definitions.extents import HALF_LIVES_DAYS
from infra.models.arrays import Doubles, Integers

KINDS = ("view", "like", "add_to_cart", "order")
"""The kinds of seeds: the action that made an item one. Other actions make none."""
KIND_OF_ACTION = np.full(len(ACTION_CODES) + 1, -1)  # the last one is for unknown actions, whose code is -1
KIND_OF_ACTION[[ACTION_CODES[action] for action in KINDS]] = np.arange(len(KINDS))


@dataclass(frozen=True)
class Seeds:
    """``lists``: where the seeds of each query lie. items, kinds (of KINDS), weights: (m,) each; an item may repeat."""

    lists: Ragged
    items: Codes
    kinds: Integers
    weights: Doubles


@dataclass(frozen=True)
class SeedWeights:
    """How much a seed counts.

    actions: kind -> weight of an event of the session; the cart's items count as ``add_to_cart``
    recency: the factor from one event of the session to the one before it
    history: weight of an order of the history, halved every ``half_life_days``, which is one of HALF_LIVES_DAYS
    history_items: the newest that are read

    Raises ValueError for another kind or half-life: the rows that are read when somebody asks do not have it.
    """

    actions: Mapping[str, float] = field(
        default_factory=lambda: {"view": 0.5, "like": 1.0, "add_to_cart": 2.0, "order": 1.0}
    )
    recency: float = 0.9
    history: float = 0.1
    history_items: int = 100
    half_life_days: int = 60

    def __post_init__(self) -> None:
        if unknown := sorted(self.actions.keys() - set(KINDS)):
            raise ValueError(f"seeds.actions has {', '.join(unknown)}: a seed is one of {', '.join(KINDS)}")
        if self.half_life_days not in HALF_LIVES_DAYS:
            raise ValueError(f"seeds.half_life_days is {self.half_life_days}: the features hold {HALF_LIVES_DAYS}")

    def of(self, queries: Queries) -> Seeds:
        """The seeds of each query: of the session, the cart, then the history."""
        by_kind = np.array([*(self.actions.get(kind, 0.0) for kind in KINDS), 0.0])
        recent, cart, history = queries.recent, queries.cart, queries.history
        recent_kinds = KIND_OF_ACTION[recent.values["actions"]]
        cart_kinds = np.full(len(cart.items), KINDS.index("add_to_cart"))
        decayed = history.values[f"decayed_{self.half_life_days}d"]
        faded = decayed * np.exp2(-queries.age_days(history, "last_us") / self.half_life_days)
        return _joined(
            queries,
            (recent, recent_kinds, by_kind[recent_kinds] * self.recency**recent.lists.positions),
            (cart, cart_kinds, by_kind[cart_kinds]),
            (
                history,
                np.full(len(history.items), KINDS.index("order")),
                np.where(history.lists.positions < self.history_items, self.history * faded, 0.0),
            ),
        )


def _joined(queries: Queries, *parts: tuple[Events, Integers, Doubles]) -> Seeds:
    """Known items with a weight above 0, by query."""
    rows = np.concatenate([events.lists.rows for events, _, _ in parts])
    items = np.concatenate([events.items for events, _, _ in parts])
    kinds = np.concatenate([each for _, each, _ in parts])
    weights = np.concatenate([each for _, _, each in parts])
    used = np.flatnonzero((items < len(queries.codes)) & (weights > 0))
    used = used[np.argsort(rows[used], kind="stable")]
    lists = Ragged.of_lengths(np.bincount(rows[used], minlength=len(queries)))
    return Seeds(lists, items[used], kinds[used], weights[used])
