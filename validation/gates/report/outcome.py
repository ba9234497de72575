"""The outcome of each rule, and the report of a gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from validation.gates.rules.rule import FactRule, Rule, Severity


@dataclass(frozen=True)
class Outcome:
    """``success``: the result of Great Expectations; None if the rule could not be checked."""

    rule: Rule
    success: bool | None
    unexpected: int
    example: str | None = None

    @property
    def word(self) -> str:
        return {True: "pass", False: "FAIL", None: "not checked"}[self.success]

    @property
    def blocks(self) -> bool:
        """A rule that was not checked blocks too, because a table that it needs has failed."""
        return self.success is not True and self.rule.severity is Severity.BLOCKING

    @property
    def line(self) -> str:
        """One line with severity, table, column, rule, what was found, and what to do about it."""
        advice = f". {self.rule.advice}" if self.rule.advice else ""
        return f"{self.rule.severity.word}: {self.rule.table}: {self.rule.title}: {self.found}{advice}"

    @property
    def found(self) -> str:
        """The violations with an example; of a rule on a measure, the measure."""
        if isinstance(self.rule, FactRule) and self.example:
            return self.example
        count = "1 violation" if self.unexpected == 1 else f"{self.unexpected:,} violations"
        return f"{count}, e.g. {self.example}" if self.example else count


@dataclass(frozen=True)
class GateReport:
    """All outcomes of one gate over one data set."""

    gate: str
    dataset: str
    outcomes: tuple[Outcome, ...]

    @property
    def blocked(self) -> bool:
        return any(outcome.blocks for outcome in self.outcomes)

    @property
    def holds_promotion(self) -> bool:
        """Whether training will promote no model because of what was found."""
        return any(outcome.rule.holds_promotion for outcome in self.failures)

    @property
    def failures(self) -> Sequence[Outcome]:
        """The failed outcomes: those first that block, then those that hold back the promotion, then those that say
        what to do."""
        failed = [outcome for outcome in self.outcomes if outcome.success is False]
        return sorted(failed, key=lambda o: (not o.blocks, not o.rule.holds_promotion, not o.rule.advice))

    def ordered(self) -> list[Outcome]:
        """Failed rules, then rules that were not checked, then the others."""
        unknown = [outcome for outcome in self.outcomes if outcome.success is None]
        return [*self.failures, *unknown, *(outcome for outcome in self.outcomes if outcome.success)]
