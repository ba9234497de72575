"""Facts in plain words: the model's features by theme, as a visitor would name them.

Shares of a score add up, so the share of a theme is the sum of its features' shares. A feature that belongs to no theme
is one of its own, in the words of its description.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from feature_repo.definitions.view import Feature

Values = Mapping[str, float | str | None]
_UNITS = ((60.0, "second"), (60.0, "minute"), (24.0, "hour"), (7.0, "day"), (math.inf, "week"))
_SOURCE = re.compile(r"(.+)_(score|rank)")


@dataclass(frozen=True)
class Theme:
    """``detail``: what is so of the item, from the features' values; empty where nothing is known."""

    words: str
    detail: Callable[[Values], str]


def _bought(values: Values) -> str:
    count, age_s = _known(values, "bought_count"), _known(values, "bought_age_s")
    if not count:
        return "not bought so far"
    often = "once" if count == 1 else f"{count:.0f} times"
    return often if age_s is None else f"{often}, last {duration(age_s)} ago"


def _kind(values: Values) -> str:
    share = _known(values, "category_share")
    return "" if share is None else f"{share:.0%} of what you ordered"


def _popular(values: Values) -> str:
    orders = _known(values, "orders_28d")
    return "" if orders is None else f"{orders:.0f} {'order' if orders == 1 else 'orders'} in 28 days"


def _touched(values: Values) -> str:
    count = _known(values, "touched_count")
    return "" if count is None else ("not yet" if not count else f"{count:.0f} {'time' if count == 1 else 'times'}")


def _cart(values: Values) -> str:
    return "it is in the cart" if _known(values, "in_cart") else ""


def _price(values: Values) -> str:
    price = _known(values, "price")
    return "unknown" if price is None else f"{price:,.2f}"


def _again(values: Values) -> str:
    repeats = _known(values, "repeats_per_user")
    return "" if repeats is None else f"{repeats:.1f} more orders per person"


def _new(values: Values) -> str:
    age_s = _known(values, "item_age_s")
    return "" if age_s is None else f"here for {duration(age_s)}"


def _place(values: Values) -> str:
    position = _known(values, "input_position")
    return "" if position is None else f"number {position + 1:.0f}"


def _text(name: str) -> Callable[[Values], str]:
    return lambda values: in_words(values.get(name), "")


def _nothing(_: Values) -> str:
    return ""


_THEMES: tuple[tuple[tuple[str, ...], Theme], ...] = (
    (("bought_",), Theme("how often and how lately you bought it", _bought)),
    (("category_id",), Theme("its kind", _text("category_id"))),
    (("brand",), Theme("its brand", _text("brand"))),
    (("category_orders", "category_repeat"), Theme("how well its kind sells", _nothing)),
    (("category_",), Theme("how much you buy of its kind", _kind)),
    (("touched_",), Theme("what you did with it in this visit", _touched)),
    (("in_cart", "together_"), Theme("how it goes with your cart", _cart)),
    (("price", "old_price"), Theme("its price", _price)),
    (("repeat", "order_basket_share"), Theme("how often people buy it again", _again)),
    (("views_", "carts_", "orders_", "conversion_", "buyers_", "revenue_"), Theme("how popular it is", _popular)),
    (("item_age", "item_last_order"), Theme("how new it is, and when it last sold", _new)),
    (("input_position", "slate_size"), Theme("where it stood before it was ranked", _place)),
    (("session_",), Theme("this visit so far", _nothing)),
    (("user_",), Theme("you as a customer", _nothing)),
    (("hour", "weekday"), Theme("the time of day and week", _nothing)),
    (("context_",), Theme("where you shop", _nothing)),
)
_SOURCES = {
    "own_history": "what you ordered before",
    "buy_again": "what you are due to buy again",
    "covisitation": "what goes with what you looked at and bought",
    "similar_users": "what people like you buy",
    "als": "what people like you buy, by taste",
    "next_item": "what usually comes next",
    "nearest_titles": "what has a similar name",
    "trending": "what sells at the moment",
}


def theme_of(feature: Feature) -> Theme:
    if feature.source == "candidates":
        source = _SOURCE.fullmatch(feature.name)
        name = source[1] if source else feature.name
        return Theme(_SOURCES.get(name, name.replace("_", " ")), _listed(name))
    found = next((theme for starts, theme in _THEMES if feature.name.startswith(starts)), None)
    return found or Theme(feature.description, lambda values: in_words(values.get(feature.name), feature.unit))


def _listed(source: str) -> Callable[[Values], str]:
    def detail(values: Values) -> str:
        rank = _known(values, f"{source}_rank")
        return "not listed there" if rank is None else f"number {rank + 1:.0f} there"

    return detail


def in_words(value: float | str | None, unit: str) -> str:
    """``3 days``, ``yes``, ``0.25``, ``unknown``; a text as it is."""
    if isinstance(value, str):
        return value
    if value is None or math.isnan(value):
        return "unknown"
    if unit == "flag":
        return "yes" if value else "no"
    if unit == "s":
        return duration(value)
    return f"{value:,.2f}" if unit == "money" else f"{value:.3g}"


def duration(seconds: float) -> str:
    """In the largest unit of which it is at least two."""
    name = ""
    for size, name in _UNITS:  # noqa: B007  the last unit whose size the loop reached
        if abs(seconds) < 2 * size:
            break
        seconds /= size
    whole = f"{seconds:.0f}"
    return f"{whole} {name}" if whole == "1" else f"{whole} {name}s"


def _known(values: Values, name: str) -> float | None:
    value = values.get(name)
    return None if value is None or isinstance(value, str) or math.isnan(value) else value
