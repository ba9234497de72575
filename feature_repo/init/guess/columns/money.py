"""Prices: whether cents and the bound of the log can hold them."""

from __future__ import annotations

from math import ceil, log10

from feature_repo.init.guess.decisions import Decision, Guess, Setting, column_of
from feature_repo.init.guess.roles import View
from feature_repo.init.profile.column import Column
from feature_repo.init.thresholds import SMALL_PRICE, TINY_PRICE
from infra.limits import MAX_PRICE


def price_decision(guess: Guess, view: View, column: Column, place: str) -> Decision:
    """Asks where most prices are nothing in cents; declares a higher bound for currencies of large numbers."""
    numbers = column.numbers
    assert numbers is not None
    told = f"{numbers.low:g} to {numbers.high:g}"
    if 0 < numbers.high < TINY_PRICE:
        guess.ask(
            f"{place}.scale",
            f"{view.pattern}, {column.name}: prices up to {numbers.high:g} are 0.00 in cents: what is their unit?",
            "1000  # each is multiplied by it",
        )
    elif 0 < numbers.high < SMALL_PRICE:
        small = f"{view.pattern}, {column.name}: no price is above {numbers.high:g}"
        guess.notes.append(f"{small}: cents keep few of its digits; scale: 100 keeps more")
    if numbers.high > MAX_PRICE:
        bound = float(10 ** min(ceil(log10(numbers.high)) + 1, 9))
        known = guess.declared.get("max_price")
        if known is None or known.value < bound:
            guess.declared["max_price"] = Setting(bound, f"{column.name} reaches {numbers.high:,.0f}")
        told += ": a currency of large numbers"
    if numbers.negative:
        told += f"; {numbers.negative:.1%} are below 0, no price of a unit"
    return Decision(column_of(column.name), told)
