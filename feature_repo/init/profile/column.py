"""The profile of one column."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Kind(Enum):
    EMPTY = "empty"
    FLAG = "flag"
    INTEGER = "integer"
    NUMBER = "number"
    TIME = "time"
    LIST = "list"
    TEXT = "text"


NUMERIC = (Kind.FLAG, Kind.INTEGER, Kind.NUMBER)


@dataclass(frozen=True)
class Times:
    """The values read as times. ``unit`` of numbers since 1970; ``formats``: all that fit, of text; () is ISO 8601.

    ``zoned``: the texts say their zone.
    """

    first: datetime
    last: datetime
    unit: str | None = None
    formats: tuple[str, ...] = ()
    zoned: bool = False
    native: bool = False

    @property
    def days(self) -> float:
        return (self.last - self.first).total_seconds() / 86_400


@dataclass(frozen=True)
class Numbers:
    """``low``, ``high``: range. ``negative``: share of the values below 0. ``whole``: all are whole numbers.

    ``values``: (number, rows) of all of them where they are few, most frequent first.
    """

    low: float
    high: float
    negative: float
    whole: bool
    sum: float
    values: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True)
class Lists:
    """Several values in one cell. ``length``: mean number of them. ``numeric``: all are numbers."""

    separator: str
    length: float
    distinct: int
    numeric: bool = False


@dataclass(frozen=True)
class Column:
    """One column of a table's sample.

    ``nulls``: share of the rows. ``distinct``: values in the sample. ``values``: (text, rows) of all of them where they
    are few, most frequent first. ``length``: mean number of characters.
    """

    name: str
    source_type: str
    kind: Kind
    rows: int
    nulls: float
    distinct: int
    values: tuple[tuple[str, int], ...] = ()
    examples: tuple[str, ...] = ()
    length: float = 0.0
    numbers: Numbers | None = None
    times: Times | None = None
    lists: Lists | None = None

    @property
    def filled(self) -> int:
        return round(self.rows * (1 - self.nulls))

    @property
    def unique_share(self) -> float:
        """Distinct values by rows that have one."""
        return self.distinct / self.filled if self.filled else 0.0

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(text for text, _ in self.values)

    @property
    def is_numeric(self) -> bool:
        return self.kind in NUMERIC and self.numbers is not None
