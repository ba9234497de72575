"""What became of each rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from validation.gates.rules.rule import Rule, Severity


@dataclass(frozen=True)
class Outcome:
    """``success`` is Great Expectations' verdict; None where the rule could not be judged."""

    rule: Rule
    success: bool | None
    unexpected: int
    example: str | None = None

    @property
    def word(self) -> str:
        return {True: "pass", False: "FAIL", None: "not judged"}[self.success]

    @property
    def blocks(self) -> bool:
        """A rule that was not judged blocks too: what it needs has failed."""
        return self.success is not True and self.rule.severity is Severity.BLOCKING

    @property
    def line(self) -> str:
        """One line that names table, column, rule, count and an example."""
        count = "1 offender" if self.unexpected == 1 else f"{self.unexpected:,} offenders"
        example = f", e.g. {self.example}" if self.example else ""
        return f"{self.rule.severity.word}: {self.rule.table}: {self.rule.title}: {count}{example}"


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
    def failures(self) -> Sequence[Outcome]:
        """Blocking ones first."""
        failed = [outcome for outcome in self.outcomes if outcome.success is False]
        return sorted(failed, key=lambda outcome: not outcome.blocks)

    def ordered(self) -> list[Outcome]:
        """Failures, what was not judged, then the rest."""
        unknown = [outcome for outcome in self.outcomes if outcome.success is None]
        return [*self.failures, *unknown, *(outcome for outcome in self.outcomes if outcome.success)]
