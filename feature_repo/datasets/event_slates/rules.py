"""How slates are sampled from events and filled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

Action = str | int  # its name, or its code in the source


@dataclass(frozen=True)
class SlateRules:
    """``targets``: actions that are predicted. ``touches``: those that say what a person likes. ``cart``: an addition.

    acts:        the numbers in its session of the acts at which a slate may be scored
    every_session: whether a session of fewer acts gets one of those numbers that it has; else it may get none
    fill_to:     popular items are added to a slate of fewer candidates
    only_new:    items on which the person had acted before leave the slate and the labels
    """

    targets: tuple[Action, ...] = ("order",)
    touches: tuple[Action, ...] = ("view", "like", "add_to_cart", "order")
    cart: Action = "add_to_cart"
    label_hours: int = 24
    seed: int = 20241001
    warm_up_days: int = 14  # the first days get no slates: they are history
    per_day: int = 240
    acts: tuple[int, ...] = (1, 2, 4, 8)
    every_session: bool = False
    only_new: bool = False
    from_orders: int = 40
    from_touched: int = 40
    categories: int = 3
    from_category: int = 20  # of each category
    from_shop: int = 30
    from_together: int = 20
    fill_to: int = 0
    touched_days: int = 28
    popular_days: int = 7
    together_days: int = 28
    anchors: int = 10

    @property
    def label_days(self) -> int:
        """Whole days until all labels of a day's slates are known."""
        return -(-timedelta(hours=self.label_hours) // timedelta(days=1))


def listed(actions: tuple[Action, ...]) -> str:
    """SQL of the actions, for IN."""
    return ", ".join(str(each) if isinstance(each, int) else "'" + each.replace("'", "''") + "'" for each in actions)
