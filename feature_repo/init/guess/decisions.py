"""What was decided, what was left out, and what is to be asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from feature_repo.datasets.files.mapping import FileFormat, Join, Values
from feature_repo.schema import Column as SchemaColumn

Table = Literal["items", "events", "impressions"]
Group = Literal["item_extras", "facts", "context"]
UNKNOWN = "?"  # stands in the file for what the user has to say


@dataclass(frozen=True)
class Decision:
    """How one column of the log is made, and why. ``certainty``: 1 is sure; what is below is printed as a guess."""

    values: Values
    reason: str
    certainty: float = 1.0


@dataclass
class FileGuess:
    """One entry of the mapping's ``files``."""

    table: Table
    path: str
    reason: str
    columns: dict[str, Decision] = field(default_factory=dict)
    where: dict[str, tuple[str, ...]] = field(default_factory=dict)
    join: list[Join] = field(default_factory=list)
    format: FileFormat = field(default_factory=FileFormat)


@dataclass(frozen=True)
class Setting:
    """A top-level entry of the mapping, such as ``slates``."""

    value: Any
    reason: str


@dataclass(frozen=True)
class LeftOut:
    path: str
    column: str
    reason: str


@dataclass(frozen=True)
class Extra:
    """A column that dataset.json declares. ``source``: the column that it is made of."""

    group: Group
    column: SchemaColumn
    source: str


@dataclass(frozen=True)
class Question:
    """``place``: of the answer in the mapping, ``events.event_ts.format``. ``answers``: each would settle it."""

    place: str
    problem: str
    answers: tuple[str, ...]


@dataclass
class Guess:
    """All of it. ``unread``: files that cannot be read. ``notes``: what is worth knowing."""

    files: list[FileGuess] = field(default_factory=list)
    settings: dict[str, Setting] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    left_out: list[LeftOut] = field(default_factory=list)
    extras: list[Extra] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    declared: dict[str, Setting] = field(default_factory=dict)

    def of(self, table: Table) -> list[FileGuess]:
        return [each for each in self.files if each.table == table]

    def leave_out(self, path: str, column: str, reason: str) -> None:
        if not any(each.path == path and each.column == column for each in self.left_out):
            self.left_out.append(LeftOut(path, column, reason))

    def ask(self, place: str, problem: str, *answers: str) -> None:
        self.questions.append(Question(place, problem, answers))


def column_of(name: str, **others: Any) -> Values:
    return Values(source=(name,), **others)
