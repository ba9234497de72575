"""All tables of a source by what they hold, and the guess that grows."""

from __future__ import annotations

from collections.abc import Sequence

from feature_repo.init.guess.decisions import Guess
from feature_repo.init.guess.lookup import Lookup
from feature_repo.init.guess.queries import Sampled
from feature_repo.init.guess.roles import View
from feature_repo.init.guess.tables import Holds, holds, references


class Folder:
    """The views of a source by what they hold, and the guess that grows."""

    def __init__(self, sampled: Sampled, views: Sequence[View]) -> None:
        self.sampled, self.views, self.guess = sampled, views, Guess()
        self.references = {view.pattern: references(sampled, view, views) for view in views}
        self.holds = {view.pattern: holds(sampled, view, views, self.references[view.pattern]) for view in views}

    def that_hold(self, what: Holds) -> list[View]:
        return [view for view in self.views if self.holds[view.pattern] is what]

    def lookup(self, view: View) -> Lookup:
        catalogs = {each.pattern for each in self.that_hold(Holds.ITEMS)}
        return Lookup(view, [each for each in self.references[view.pattern] if each.other.pattern not in catalogs])

    @property
    def by_pattern(self) -> dict[str, View]:
        return {view.pattern: view for view in self.views}

    def main_catalog(self) -> View | None:
        """The table of items with most columns that tell something."""
        used = {each.other.pattern for refs in self.references.values() for each in refs}
        return max(
            self.that_hold(Holds.ITEMS),
            key=lambda view: (view.pattern in used, view.has("category", "price", "brand", "title"), len(view.columns)),
            default=None,
        )
