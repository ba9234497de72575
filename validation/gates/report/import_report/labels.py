"""Where the positives stand in their lists, and whether what they mean happened before the list."""

from __future__ import annotations

from collections.abc import Sequence

from feature_repo.times.early_outcomes import AFTER, BEFORE, MAX_SHARE, MIN_COUNT, OWN_SHARE
from infra.report_page.charts import bars
from validation.gates.facts.log_facts import LogFacts
from validation.gates.facts.outcomes import LabelOutcomes
from validation.gates.facts.positions import PositionShare
from validation.gates.report.content import Block, Kind, Plot, Table, Text, number, percent

INPUT, SHOWN = "input_position", "shown_position"
ABOUT = {
    INPUT: "The position in the order that the caller had, from 0. Where the share falls with the position, that "
    "order is good already, or users saw it; where it is flat, the order says nothing.",
    SHOWN: "The position on the screen, from 0. Users look at the first ones first, whatever stands there; the "
    "training on served slates corrects for that.",
}
HEADER = ("position", "candidates", "positives", "share")
OUTCOME_HEADER = ("label", "positives", "its own action", "positives that have it", "early", "share early")
ABOUT_OUTCOMES = (
    "An outcome that stands before its slate tells the model the answer: usually a mistaken time zone. A label's own "
    f"action is the strongest one that at least {OWN_SHARE:.0%} of its positives have near their slate. It is early if "
    f"the user or the session has it in the {BEFORE.total_seconds() / 3600:.0f} hours before the slate, and not at it "
    f"or in the {AFTER.total_seconds() / 3600:.0f} hours after it. A touch before the slate is normal; the outcome "
    f"itself is not. More than {MAX_SHARE:.0%} of them, and at least {MIN_COUNT}, hold the promotion back."
)


def position_blocks(facts: LogFacts) -> Sequence[Block]:
    if facts.slates is None:
        return [Text("There are no slates.", Kind.MISSING)]
    return [*_positions(facts, INPUT), *_positions(facts, SHOWN)]


def _positions(facts: LogFacts, column: str) -> Sequence[Block]:
    found = facts.positions(column)
    if not found:
        return [Text(f"{column} is not known for any row.")]
    shares = [each.share for each in found]
    names = [_name(each) for each in found]
    rows = [
        (name, number(each.rows), number(each.positives), percent(each.positives, each.rows))
        for name, each in zip(names, found, strict=True)
    ]
    return [
        Text(f"{column}: {ABOUT[column]}", Kind.NOTE),
        Plot(bars(names, shares, column, "positives per candidate", shares=True), f"share of positives by {column}"),
        Table(HEADER, rows, folded=f"The figures by {column}"),
    ]


def _name(each: PositionShare) -> str:
    return str(each.first) if each.first == each.last else f"{each.first}-{each.last}"


def outcome_blocks(facts: LogFacts) -> Sequence[Block]:
    found = facts.outcomes
    if not found.labels:
        return [Text("There are no positives.")]
    early = found.early
    if not early.outcomes:
        verdict = "No label has an action of its own in the events, so this cannot be checked."
    else:
        verdict = f"{early}."
        verdict += f" No model will be promoted. {found.example}." if early.too_many else " That is normal."
    return [
        Text(verdict),
        Table(OUTCOME_HEADER, [_outcome(each) for each in found.labels]),
        Text(ABOUT_OUTCOMES, Kind.NOTE),
    ]


def _outcome(each: LabelOutcomes) -> tuple[str, ...]:
    if each.action is None:
        return str(each.label), number(each.positives), "none in common", "-", "-", "-"
    counts = (number(each.found), number(each.early), percent(each.early, each.found))
    return str(each.label), number(each.positives), each.action, *counts
