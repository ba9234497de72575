"""What a further run does to a file that the user may have edited.

``base`` is what init wrote last, ``mine`` what stands there, ``new`` what init would write now. The user's lines are
those in which ``mine`` differs from ``base``: they stay, also where they were taken out. Without a base all lines count
as the user's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from feature_repo.init.writing.follow import Moves
from feature_repo.init.writing.tree import Place

ALWAYS_NEW = (("input",), ("ignore",))  # the command line says the one; the other has the user's names already


@dataclass
class Changes:
    """``kept``: place -> (the user's value, the guess), where the guess is another than before.

    ``answered``: what --set said. ``moved``: (table, path) -> the path that takes in the files that came.
    """

    added: dict[Place, Any] = field(default_factory=dict)
    replaced: dict[Place, Any] = field(default_factory=dict)
    removed: list[Place] = field(default_factory=list)
    kept: dict[Place, tuple[Any, Any]] = field(default_factory=dict)
    answered: dict[Place, Any] = field(default_factory=dict)
    moved: Moves = field(default_factory=dict)


def changes(base: Mapping[Place, Any] | None, mine: Mapping[Place, Any], new: Mapping[Place, Any]) -> Changes:
    before = base if base is not None else {}
    found = Changes()
    for place, value in new.items():
        if place not in mine:
            gone = place in before or any(place[:n] in before and place[:n] not in mine for n in range(1, len(place)))
            if not gone:
                found.added[place] = value
        elif mine[place] != value:
            if place in ALWAYS_NEW or (place in before and mine[place] == before[place]):
                found.replaced[place] = value
            elif base is None or before.get(place) != value:
                found.kept[place] = (mine[place], value)
    found.removed = [
        place for place, value in mine.items() if place not in new and place in before and before[place] == value
    ]
    # An entry goes only as a whole: one in which the user has lines stays.
    left = [place for place in mine if place not in found.removed]
    found.removed = [
        place for place in found.removed
        if not (place[0] == "files" and len(place) == 2 and any(other[:2] == place for other in left))
    ]  # fmt: skip
    return found


def users_own(base: Mapping[Place, Any] | None, mine: Mapping[Place, Any]) -> dict[Place, Any]:
    """What the user wrote or changed."""
    before = base if base is not None else {}
    return {place: value for place, value in mine.items() if place not in before or before[place] != value}
