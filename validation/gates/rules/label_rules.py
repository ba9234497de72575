"""Rules on labels: there is something to learn, and it is not known when the slate is made.

Early outcomes are a warning: the pipeline goes on, and training reads the same numbers and promotes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from feature_repo.times.early_outcomes import MAX_SHARE
from validation.gates.facts.log_facts import LogFacts
from validation.gates.rules.rule import FactRule, Rule, Severity


def label_rules() -> Iterable[Rule]:
    yield FactRule(
        table="impressions",
        column="label",
        text="above 0 in at least one row",
        problem=_never_positive,
        advice="Without a positive nothing can be learnt. Give each candidate what followed: 0 for nothing, and more "
        "for a click, a cart, an order.",
    )
    yield FactRule(
        table="impressions",
        column="label",
        text="above 0 in a slate of train",
        problem=_no_positive_in_train,
        advice="The ranker learns from slates of train with a positive. Import more slates, or begin the validation "
        "split later (split in params/NAME.yaml).",
    )
    yield FactRule(
        table="impressions",
        column="label",
        text=f"its outcome is not before the slate (at least {1 - MAX_SHARE:.0%} of positives with an outcome)",
        severity=Severity.WARNING,
        needs=("events",),
        holds_promotion=True,
        problem=_early,
        advice="The features would know the label, so no model is promoted while this is so. Look at the times and "
        "time zones of events and slates; docs/training-and-promotion.md says what is compared.",
    )


def _never_positive(facts: LogFacts) -> str | None:
    found = facts.slates
    if found is None or found.with_positive:
        return None
    return f"all {sum(found.labels.values()):,} rows of {found.slates:,} slates have the label 0"


def _no_positive_in_train(facts: LogFacts) -> str | None:
    """Where all times are equal or no label is positive, that has been said."""
    found = facts.slates
    if found is not None and found.split_problem:
        return found.split_problem
    if found is None or not found.with_positive or facts.span("impressions", "shown_ts").instants == 1:
        return None
    train = found.splits[0]
    if train.with_positive:
        return None
    others = ", ".join(f"{each.name} {each.slates:,} slates, {each.with_positive:,} with one" for each in found.splits)
    return f"no slate of train has a positive: {others}"


def _early(facts: LogFacts) -> str | None:
    early = facts.outcomes.early
    return f"{early}; {facts.outcomes.example}" if early.too_many else None
