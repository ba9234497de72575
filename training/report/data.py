"""The section that describes the data."""

from __future__ import annotations

from feature_repo.datasets.declarations.built_in import declaration_of
from infra.report_page.page import table
from infra.report_page.plot import image
from training.report import figures
from training.report.log_facts import LogFacts, log_facts
from training.report.study import Section, Study, block, note, paragraph

COMMAND = "python -m feature_repo.datasets"


def section(study: Study) -> Section:
    return Section("data", "Data", block(lambda: _body(study), COMMAND))


def _body(study: Study) -> str:
    facts = log_facts(study.settings, study.at)
    known = "" if study.at is None else f" What was received before {study.at.isoformat()} is described."
    body = paragraph(f"{declaration_of(study.settings).title}.{known}") + _sizes(facts)
    if not facts.daily:
        return body + note("The log holds no event, so there is nothing to plot.")
    actions = [
        [action, f"{events:,}", f"{events / facts.rows['events']:.1%}", f"{users:,}"]
        for action, events, users in facts.actions
    ]
    return (
        body
        + image(figures.events_per_day(facts), "events per day by action")
        + "<h3>Actions</h3>\n"
        + table(["action", "events", "share", "users"], actions)
        + "<h3>Length of histories</h3>\n"
        + image(figures.history_lengths(facts.histories), "users by the number of their events")
        + _repeats(facts)
    )


def _sizes(facts: LogFacts) -> str:
    span = "-" if facts.first is None or facts.last is None else f"{facts.first:%Y-%m-%d} to {facts.last:%Y-%m-%d}"
    per_user = "-" if not facts.users else f"{facts.rows['events'] / facts.users:,.1f}"
    share = facts.repeat_share
    rows = [
        ["span", f"{span}, {facts.days:,} days"],
        *([f"rows: {name}", f"{count:,}"] for name, count in facts.rows.items()),
        ["users", f"{facts.users:,}"],
        ["sessions", f"{facts.sessions:,}"],
        ["items with an event", f"{facts.items:,} of {facts.catalog:,}"],
        ["events per user", per_user],
        ["slates", f"{facts.slates:,}"],
        ["orders of an item that the user had ordered before", "-" if share is None else f"{share:.1%}"],
    ]
    return table(["", ""], rows)


def _repeats(facts: LogFacts) -> str:
    if not facts.repeats:
        return "<h3>Ordered again</h3>\n" + note("The log holds no orders of items.")
    return (
        "<h3>Ordered again</h3>\n"
        + image(figures.repeat_shares(facts.repeats), "share of repeated orders by week")
        + note(
            "By week: the share of orders that are of an item that the user had ordered before. It rises at first, "
            "because the log does not know what was ordered before it begins."
        )
    )
