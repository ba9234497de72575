"""How much there is, and of what time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from feature_repo.schema import Declaration
from validation.gates.facts.log_facts import LogFacts
from validation.gates.facts.time_span import COLUMNS, TimeSpan
from validation.gates.report.content import Block, Kind, Table, Text, number, percent

WORDS = (
    "A slate is a list that was ranked; its rows are its candidates, one row of impressions each. A label says what "
    "the user did with a candidate: 0 is nothing, more is better, and a row with a label above 0 is a positive."
)


def blocks(facts: LogFacts, declaration: Declaration) -> Sequence[Block]:
    spans = [facts.span(table, column) for table, column in COLUMNS if facts.has(table)]
    zone = declaration.timezone
    days = "" if zone == "UTC" else f"Its features take hours and weekdays in {zone}. "
    return [
        Text(f"{declaration.title}. {days}All times on this page are UTC."),
        Table(("table", "rows", "first", "last", "span"), [_span(span) for span in spans]),
        Table(("", "count"), _counts(facts)),
        Text(WORDS, Kind.NOTE),
    ]


def _span(span: TimeSpan) -> tuple[str, ...]:
    if not span.rows:
        return span.table, "0", "-", "-", "-"
    return span.table, number(span.rows), when(span.first), when(span.last), duration(span.length)


def _counts(facts: LogFacts) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if facts.has("events", "impressions"):
        for column, name in (("user_id", "users"), ("session_id", "sessions")):
            both = facts.overlap(column, "impressions", "events")
            found.append((f"{name}, in impressions or events", number(both.left.ids + both.right.ids - both.shared)))
    if facts.has("items"):
        columns = facts.columns("items").columns
        found += [("items in the catalog", _distinct(each.distinct)) for each in columns if each.name == "item_id"]
    if facts.has("impressions") and facts.slates is not None:
        slates = facts.slates
        rows = sum(slates.labels.values())
        positives = rows - slates.labels.get(0, 0)
        found += [
            ("slates", number(slates.slates)),
            (
                "slates with a positive",
                f"{number(slates.with_positive)} ({percent(slates.with_positive, slates.slates)})",
            ),
            ("positives among all candidates", f"{number(positives)} ({percent(positives, rows)})"),
        ]
    return found


def _distinct(count: int | None) -> str:
    return "-" if count is None else number(count)


def when(timestamp: datetime) -> str:
    return timestamp.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def duration(length: timedelta) -> str:
    """In the largest unit of which there are at least two."""
    seconds = length.total_seconds()
    for unit, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:,.0f} {name}"
    return f"{seconds:,.1f} s"
