"""What a report says, before it is HTML or Markdown. All texts are plain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from matplotlib.figure import Figure


class Kind(Enum):
    """Of a text. ``MISSING``: what could not be measured."""

    PLAIN = "plain"
    NOTE = "note"
    MISSING = "missing"


@dataclass(frozen=True)
class Text:
    text: str
    kind: Kind = Kind.PLAIN


@dataclass(frozen=True)
class Table:
    """``texts``: the cells hold words rather than numbers. ``folded``: shown on a click, under this title."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: bool = False
    folded: str = ""


@dataclass(frozen=True)
class Plot:
    """Markdown leaves it out."""

    figure: Figure
    alternative: str


@dataclass(frozen=True)
class Card:
    """A rule that is broken. ``severity``: blocking or warning; ``advice`` may be empty."""

    severity: str
    column: str
    expected: str
    found: str
    advice: str


@dataclass(frozen=True)
class Link:
    """``target``: relative to the page."""

    target: str
    text: str


Block = Text | Table | Plot | Card | Link


@dataclass(frozen=True)
class Section:
    """``anchor``: of the link to it."""

    anchor: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """``verdict``: the first sentence, with its ``severity``: passed, warning or blocking."""

    title: str
    about: str
    severity: str
    verdict: str
    more: str
    sections: Sequence[Section]


def number(value: int) -> str:
    return f"{value:,}"


def percent(part: int, whole: int) -> str:
    """``part`` of ``whole``; a dash where there is none. What is not 0 does not look like 0, nor 100% like less."""
    if not whole:
        return "-"
    share = part / whole
    if 0 < share < 0.001:
        return "< 0.1%"
    if 0.999 < share < 1:
        return "> 99.9%"
    return f"{share:.1%}"
