"""The lists of the shop by name: what a page shows first, and what its shelf asks for again after each click.

``for-you``; ``category:ID``; ``search:WORDS``. A name comes from the browser, so an unknown one is an empty list.
"""

from __future__ import annotations

from collections.abc import Sequence

from serving.web.people.visits import ORDERINGS, Ordering, Visit
from serving.web.reasons import Explained
from serving.web.routes.guard import Visitor
from serving.web.shelves import CANDIDATES, Shelf

FOR_YOU = "for-you"
MAX_SHOWN = 120


def candidates(visitor: Visitor, name: str) -> Sequence[str]:
    """Of a list that is not ``for-you``, the most popular first."""
    kind, _, what = name.partition(":")
    catalogue = visitor.parts.shelves.catalogue
    if kind == "category":
        return catalogue.of_category(what, CANDIDATES)
    return catalogue.search(what, CANDIDATES) if kind == "search" else ()


async def shelf(visitor: Visitor, name: str, k: int, ordering: Ordering | None = None) -> Shelf:
    """At most ``k`` items in the order that the visitor chose, or in another ``ordering``."""
    visit, shelves = visitor.visit, visitor.parts.shelves
    chosen = ordering or visit.ordering
    if name == FOR_YOU:
        return (await shelves.for_you(visit, k, chosen, visitor.deadline)).first(k)
    found = await shelves.ordered(visit, candidates(visitor, name), chosen, visitor.deadline)
    return found.first(k)


async def explained(visitor: Visitor, name: str, item_id: str, k: int) -> Explained:
    """Raises NothingToExplain, or Busy."""
    visit: Visit = visitor.visit
    explainer = visitor.parts.explainer
    if name == FOR_YOU:
        return await explainer.recommended(visit, item_id, k, visitor.deadline)
    return await explainer.ordered(visit, item_id, candidates(visitor, name), visitor.deadline)


def ordering_of(text: str) -> Ordering | None:
    return next((each for each in ORDERINGS if each == text), None)


def shown(text: str, default: int) -> int:
    """How many items are asked for."""
    return min(max(int(text), 1), MAX_SHOWN) if text.isascii() and text.isdecimal() and len(text) < 6 else default
