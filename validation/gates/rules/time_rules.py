"""Rules on times: their unit, a span in which something can be learnt, and a catalog that is there in time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial

from feature_repo.times.time_unit import MISREADINGS, PLAUSIBLE_FROM, meant, misreading
from validation.gates.facts.log_facts import LogFacts
from validation.gates.facts.time_span import TimeSpan
from validation.gates.rules.rule import FactRule, Rule, Severity
from validation.gates.rules.thresholds import MIN_TIMES, SHORT_LOG, UNDATED_SHARE

TIMES = (("events", "event_ts"), ("impressions", "shown_ts"))
READ_AGAIN = "Read the times again in their own unit, and write the log anew."
LONG_LOG = timedelta(days=1), timedelta(days=20 * 365)  # what a log is probably long


def time_rules() -> Iterable[Rule]:
    for table, column in TIMES:
        yield _rule(table, column, "read in its own unit", _misread, READ_AGAIN)
        yield _rule(
            table,
            column,
            f"of {PLAUSIBLE_FROM:%Y} or later",
            _old,
            "If the log really is of the nineties, ignore this; else look at how its times were read.",
            Severity.WARNING,
        )
    yield FactRule(
        table="impressions",
        column="shown_ts",
        text="more than one time",
        problem=_one_time,
        advice="Slates are split by time into train, validation and test. Where the real times are not known, give the "
        "slates times in an order that means nothing, for example one per minute by a seeded hash.",
    )
    yield _catalog("before some impression of its item", _catalog_too_late, Severity.BLOCKING)
    yield _catalog(
        f"not after the item is shown (at least {1 - UNDATED_SHARE:.0%} of impressions)",
        _catalog_late,
        Severity.WARNING,
    )


def _rule(
    table: str,
    column: str,
    text: str,
    problem: Callable[..., str | None],
    advice: str,
    severity: Severity = Severity.BLOCKING,
) -> FactRule:
    return FactRule(
        table=table,
        column=column,
        text=text,
        severity=severity,
        problem=partial(problem, table=table, column=column),
        advice=advice,
    )


def _catalog(text: str, problem: Callable[[LogFacts], str | None], severity: Severity) -> FactRule:
    return FactRule(
        table="items",
        column="valid_from_ts",
        text=text,
        severity=severity,
        needs=("impressions",),
        problem=problem,
        advice="Before its first valid_from_ts an item has no price, category or other attribute. Date a catalog that "
        "is exported once before the first slate; its values then count as known from the start.",
    )


def _misread(facts: LogFacts, table: str, column: str) -> str | None:
    """A wrong unit shows in where the times are, or in how near they are to each other."""
    span = facts.span(table, column)
    if not span.rows:
        return None
    found = misreading(span.median_us, facts.now)
    if found is not None:
        date = meant(span.median_us, found)
        return f"{_between(span)}: probably {found.text}; half of them would be before {date:%Y-%m-%d}"
    if span.rows < MIN_TIMES or span.length >= SHORT_LOG or (table == "impressions" and span.instants == 1):
        return None  # that all slates are of one time is said by another rule
    longer = [each for each in MISREADINGS if LONG_LOG[0] <= span.length * each.factor <= LONG_LOG[1]]
    unit = f"; probably {longer[0].text}: the log would be {span.length * longer[0].factor} long" if longer else ""
    return f"all {span.rows:,} within {span.length.total_seconds():,.1f} s{unit}"


def _old(facts: LogFacts, table: str, column: str) -> str | None:
    span = facts.span(table, column)
    if not span.rows or span.last >= PLAUSIBLE_FROM or misreading(span.median_us, facts.now) is not None:
        return None
    return _between(span)


def _one_time(facts: LogFacts) -> str | None:
    span = facts.span("impressions", "shown_ts")
    if span.instants != 1 or facts.slates is None or facts.slates.slates < 2:
        return None
    return f"all {facts.slates.slates:,} slates are shown at {_iso(span.first)}, so none is before another"


def _catalog_too_late(facts: LogFacts) -> str | None:
    found = facts.catalog
    return _late(facts) if found.rows and found.undated == found.rows else None


def _catalog_late(facts: LogFacts) -> str | None:
    return _late(facts) if UNDATED_SHARE < facts.catalog.share < 1 else None


def _late(facts: LogFacts) -> str:
    found = facts.catalog
    first = facts.span("items", "valid_from_ts").first
    return (
        f"{found.undated:,} of {found.rows:,} rows ({found.share:.0%}) show an item before its first valid_from_ts; "
        f"the first slate is of {_iso(found.first_slate)}, the first row of items of {_iso(first)}; {found.example}"
    )


def _between(span: TimeSpan) -> str:
    return f"{span.rows:,} rows from {_iso(span.first)} to {_iso(span.last)}"


def _iso(timestamp: datetime | None) -> str:
    return "-" if timestamp is None else timestamp.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
