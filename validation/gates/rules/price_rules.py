"""Rules on prices: they kept their precision when they were rounded to cents."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from validation.gates.facts.log_facts import LogFacts
from validation.gates.rules.rule import FactRule, Rule, Severity
from validation.gates.rules.thresholds import LOST_SHARE, MIN_PRICES, SMALL_PRICE

PRICES = (("items", "price"), ("events", "price"), ("events", "value"))


def price_rules() -> Iterable[Rule]:
    for table, column in PRICES:
        yield FactRule(
            table=table,
            column=column,
            text="not rounded away",
            severity=Severity.WARNING,
            problem=partial(_lost, table=table, column=column),
            advice="Money has two decimals. Give prices in a unit that is small enough: 10 instead of 0.0001 if the "
            "unit was a hundred thousand, or per pack instead of per gram.",
        )


def _lost(facts: LogFacts, table: str, column: str) -> str | None:
    found = facts.prices(table, column)
    if found.known < MIN_PRICES or found.common is None:
        return None
    value, rows = found.common
    if float(value) > SMALL_PRICE or rows <= LOST_SHARE * found.known:
        return None
    return f"{rows:,} of {found.known:,} known values ({rows / found.known:.0%}) are {value}"
