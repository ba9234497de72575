"""What happened on each day, and what users did."""

from __future__ import annotations

from collections.abc import Sequence

from infra.report_page.charts import Series, by_day, with_others
from validation.gates.facts.log_facts import LogFacts
from validation.gates.report.content import Block, Kind, Plot, Table, Text, number, percent

HEADER = ("action", "events", "share", "users", "with an item")
ABOUT = (
    "By UTC day. A day without anything, a step or a sudden end shows where data are missing. The last days should "
    "look like the ones before: what was exported in the middle of a day looks like a fall."
)


def blocks(facts: LogFacts) -> Sequence[Block]:
    found = facts.days
    events = {
        each.action: {day: counts[each.action] for day, counts in found.events.items() if each.action in counts}
        for each in found.actions
    }
    plots = (
        (with_others(events), "events", "events by action"),
        ({"slates": found.slates, "positives": found.positives}, "slates, positives", "slates and their positives"),
        ({"new users": found.new_users, "new items": found.new_items}, "seen first", "users and items seen first"),
    )
    return [Text(ABOUT, Kind.NOTE), *(_plot(series, label, title) for series, label, title in plots)]


def _plot(series: Series, label: str, title: str) -> Block:
    if not any(series.values()):
        return Text(f"Nothing to plot: {title}.", Kind.MISSING)
    return Plot(by_day(series, f"{label} per UTC day"), f"{title} per day")


def action_blocks(facts: LogFacts) -> Sequence[Block]:
    found = facts.days.actions
    if not found:
        return [Text("The log has no events. Features of users and sessions will be unknown.", Kind.MISSING)]
    total = sum(each.events for each in found)
    rows = [
        (
            each.action,
            number(each.events),
            percent(each.events, total),
            number(each.users),
            percent(each.with_item, each.events),
        )
        for each in found
    ]
    return [Table(HEADER, rows)]
